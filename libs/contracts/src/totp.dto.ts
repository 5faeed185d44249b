import { IsString, Length } from 'class-validator';

/** POST /v1/auth/totp/confirm: a first code shows that the app has the secret. */
export class ConfirmTotpDto {
  @IsString()
  @Length(6, 40)
  code: string;
}

export interface TotpView {
  /** Null while there is no confirmed authenticator. */
  readonly enrolledAt: string | null;
  readonly recoveryCodesLeft: number;
  /** Whether the workspace asks all its people for one. */
  readonly required: boolean;
}

/** Shown once. */
export interface TotpEnrolment {
  /** Base32, for typing. */
  readonly secret: string;
  /** For a QR code: SHA-1, six digits, 30 seconds (RFC 6238). */
  readonly otpauthUrl: string;
}

/** Shown once; each of them stands for one code of the authenticator. */
export interface RecoveryCodesAnswer {
  readonly recoveryCodes: string[];
}
