import { IsBoolean, IsEmail, IsIn, IsOptional, IsString, Length, MaxLength } from 'class-validator';
import type { Role } from './statuses.js';
import { ROLES } from './statuses.js';

/** POST /v1/auth/register: makes a person and a workspace that they own. */
export class RegisterDto {
  @IsEmail()
  @MaxLength(254)
  email: string;

  @IsString()
  @Length(1, 1024)
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

  /** What an earlier log-in answered as `deviceToken`; browsers send the `__Host-rb_device` cookie instead. */
  @IsOptional()
  @IsString()
  @MaxLength(1000)
  deviceToken?: string;
}

/** POST /v1/auth/login/totp: the second step, with a code of the authenticator or a recovery code. */
export class LoginCodeDto {
  @IsString()
  @MaxLength(1000)
  challenge: string;

  @IsString()
  @Length(6, 40)
  code: string;

  @IsOptional()
  @IsString()
  @MaxLength(1000)
  deviceToken?: string;
}

/** POST /v1/auth/step-up: the person who is logged in proves again that it is them: with a code where there is an authenticator, else with the password. */
export class StepUpDto {
  @IsOptional()
  @IsString()
  @Length(1, 1024)
  password?: string;

  @IsOptional()
  @IsString()
  @Length(6, 40)
  code?: string;
}

/** POST /v1/auth/password. All other sessions of the person end. */
export class ChangePasswordDto {
  @IsString()
  @Length(1, 1024)
  currentPassword: string;

  @IsString()
  @Length(1, 1024)
  newPassword: string;
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
  /** Show it at the next log-in: it keeps others' guesses from slowing this device down. Opens nothing. Absent where it is a cookie. */
  readonly deviceToken?: string;
}

/** The password was right, and a code is asked for: POST /v1/auth/login/totp, within five minutes. */
export interface LoginChallenge {
  readonly challenge: string;
  readonly challengeExpiresAt: string;
}

export type LoginAnswer = SessionAnswer | LoginChallenge;

export interface PasswordAnswer {
  readonly sessionsEnded: number;
  readonly deviceToken?: string;
}

/** A log-in of one's own that has not ended. */
export interface SessionView {
  readonly id: string;
  /** Where it was last renewed. */
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly startedAt: string;
  readonly lastUsedAt: string;
  readonly expiresAt: string;
  /** The one that asks. */
  readonly current: boolean;
}

export interface SessionsEndedAnswer {
  readonly ended: number;
}

export interface WorkspaceView {
  readonly id: string;
  readonly name: string;
  readonly recoveryRecipient: string | null;
  /** Everybody in the workspace needs an authenticator. */
  readonly requireTotp: boolean;
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

  /** Needs a fresh log-in, and an authenticator of one's own. */
  @IsOptional()
  @IsBoolean()
  requireTotp?: boolean;
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
  @Length(1, 1024)
  password: string;

  @IsIn(ROLES)
  role: Role;
}
