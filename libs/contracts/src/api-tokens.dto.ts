import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsIn, IsInt, IsOptional, IsString, Length, Max, Min } from 'class-validator';

/** What a token may do, at most: its maker's role is asked at every request, too. `admin` stands for all of them and for what only admins do. */
export const API_TOKEN_SCOPES = ['read', 'backups:run', 'restores:run', 'setup:write', 'admin'] as const;
export type ApiTokenScope = (typeof API_TOKEN_SCOPES)[number];

/** POST /v1/api-tokens. */
export class CreateApiTokenDto {
  @IsString()
  @Length(1, 100)
  name: string;

  @IsIn(API_TOKEN_SCOPES, { each: true })
  @ArrayUnique()
  @ArrayMinSize(1)
  @ArrayMaxSize(API_TOKEN_SCOPES.length)
  scopes: ApiTokenScope[];

  /** Default 90. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(365)
  expiresInDays?: number;
}

export interface ApiTokenView {
  readonly id: string;
  readonly name: string;
  /** The first characters, to tell tokens apart. */
  readonly prefix: string;
  readonly scopes: ApiTokenScope[];
  /** Whose role it acts with. */
  readonly userId: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  /** To the minute. */
  readonly lastUsedAt: string | null;
  readonly lastUsedIp: string | null;
  readonly revokedAt: string | null;
}

export interface CreatedApiToken extends ApiTokenView {
  /** `rbk_…`; shown this once. */
  readonly token: string;
}
