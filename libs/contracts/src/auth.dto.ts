import { IsEmail, IsIn, IsOptional, IsString, Length, MaxLength } from 'class-validator';
import type { Role } from './statuses.js';
import { ROLES } from './statuses.js';

/** POST /v1/auth/register: makes a person and a workspace that they own. */
export class RegisterDto {
  @IsEmail()
  @MaxLength(254)
  email: string;

  @IsString()
  @Length(10, 1024)
  password: string;

  @IsString()
  @Length(1, 100)
  name: string;

  @IsOptional()
  @IsString()
  @Length(1, 100)
  workspaceName?: string;

  /** Public half of the workspace's recovery identity (`age1…`); its private half never reaches a server. */
  @IsOptional()
  @IsString()
  @MaxLength(200)
  recoveryRecipient?: string;
}

export class LoginDto {
  @IsEmail()
  @MaxLength(254)
  email: string;

  @IsString()
  @Length(1, 1024)
  password: string;
}

/** POST /v1/auth/step-up: the person who is logged in types their password again. */
export class StepUpDto {
  @IsString()
  @Length(1, 1024)
  password: string;
}

/** An access token that counts as a fresh log-in for ten minutes. The refresh token stays; what it is exchanged for is as old as the log-in. */
export interface StepUpAnswer {
  readonly accessToken: string;
  readonly accessTokenExpiresAt: string;
}

/** Browsers leave the body empty and send the `__Host-rb_refresh` cookie. */
export class RefreshDto {
  @IsOptional()
  @IsString()
  @MaxLength(200)
  refreshToken?: string;
}

/** A browser asks for the cookie with the header `x-rahatback-client: browser`; then `refreshToken` is absent here. */
export interface TokenAnswer {
  readonly accessToken: string;
  readonly accessTokenExpiresAt: string;
  readonly refreshToken?: string;
  readonly refreshTokenExpiresAt: string;
}

export interface PersonView {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly workspaceId: string;
  readonly role: Role;
}

export interface SessionAnswer {
  readonly user: PersonView;
  readonly tokens: TokenAnswer;
}

export interface WorkspaceView {
  readonly id: string;
  readonly name: string;
  readonly recoveryRecipient: string | null;
  readonly createdAt: string;
}

/** PATCH /v1/workspace (owner). */
export class UpdateWorkspaceDto {
  @IsOptional()
  @IsString()
  @Length(1, 100)
  name?: string;

  @IsOptional()
  @IsString()
  @MaxLength(200)
  recoveryRecipient?: string;
}

/** POST /v1/workspace/members (owner): adds a person to the workspace with a first password that they must be told. */
export class AddMemberDto {
  @IsEmail()
  @MaxLength(254)
  email: string;

  @IsString()
  @Length(1, 100)
  name: string;

  @IsString()
  @Length(10, 1024)
  password: string;

  @IsIn(ROLES)
  role: Role;
}
