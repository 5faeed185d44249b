import { randomBytes } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';

const STEP_SECONDS = 30;
const DIGITS = 6;
const ISSUER = 'RahatBack';
/** RFC 4226 asks for 128 bits at least and advises 160. */
const SECRET_BYTES = 20;

/** Crockford's alphabet: no letter that is taken for another sign. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const RECOVERY_LENGTH = 16;
const SELECTOR_LENGTH = 4;

/** Base32, as authenticator apps take it. */
export const newTotpSecret = (): string => Secret.fromHex(randomBytes(SECRET_BYTES).toString('hex')).base32;

const totpOf = (secret: string, label = ''): TOTP =>
  new TOTP({ issuer: ISSUER, label, algorithm: 'SHA1', digits: DIGITS, period: STEP_SECONDS, secret: Secret.fromBase32(secret) });

/** `otpauth://totp/RahatBack:<e-mail>?…`, what a QR code for authenticator apps holds. */
export const otpauthUrl = (secret: string, email: string): string => totpOf(secret, email).toString();

/**
 * The time step (RFC 6238, of 30 s) whose code this is: the present one, the one before or the one after, for clocks that differ. Undefined for
 * every other code.
 */
export function stepOf(secret: string, code: string, atMs = Date.now()): number | undefined {
  const delta = totpOf(secret).validate({ token: code, timestamp: atMs, window: 1 });
  return delta === null ? undefined : Math.floor(atMs / 1000 / STEP_SECONDS) + delta;
}

/** Codes are typed with and without spaces and dashes, in either case. */
export const plainCode = (typed: string): string => typed.replaceAll(/[\s-]/g, '').toLowerCase();

export const isTotpCode = (plain: string): boolean => new RegExp(`^\\d{${DIGITS}}$`).test(plain);

export interface RecoveryCode {
  /** Finds the row; 20 bits that may be known. */
  readonly selector: string;
  /** 60 bits. */
  readonly secret: string;
}

/** `count` codes of 80 random bits, no two with the same selector. */
export function newRecoveryCodes(count: number): RecoveryCode[] {
  const codes = new Map<string, RecoveryCode>();
  while (codes.size < count) {
    const text = [...randomBytes(RECOVERY_LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
    const code = parseRecoveryCode(text);
    if (code) codes.set(code.selector, code);
  }
  return [...codes.values()];
}

/** In groups of four, for paper. */
export const formatRecoveryCode = ({ selector, secret }: RecoveryCode): string =>
  (`${selector}${secret}`.match(/.{4}/g) ?? []).join('-');

/** Undefined for what has not the form of one. `plain`: see `plainCode`. */
export function parseRecoveryCode(plain: string): RecoveryCode | undefined {
  if (!new RegExp(`^[${ALPHABET}]{${RECOVERY_LENGTH}}$`).test(plain)) return undefined;
  return { selector: plain.slice(0, SELECTOR_LENGTH), secret: plain.slice(SELECTOR_LENGTH) };
}
