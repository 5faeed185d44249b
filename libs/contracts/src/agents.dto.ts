import { IsOptional, IsString, Length, Matches } from 'class-validator';
import type { AgentStatus } from './statuses.js';

/** POST /v1/agents/enrol-codes (owner, admin). */
export class CreateEnrolCodeDto {
  @IsOptional()
  @IsString()
  @Length(1, 100)
  label?: string;
}

/** The code is shown once and lives 15 minutes. */
export interface EnrolCodeView {
  readonly code: string;
  readonly expiresAt: string;
  /** The line to paste on the customer's machine. */
  readonly command: string;
}

const BASE64_32 = /^[A-Za-z0-9+/]{43}=$/;
const BASE64_64 = /^[A-Za-z0-9+/]{86}==$/;

/** POST /v1/agents/enrol (no log-in: the code is the credential). `proof` is the Ed25519 signature over `enrolProofBytes` of libs/crypto. */
export class EnrolAgentDto {
  @IsString()
  @Length(10, 100)
  code: string;

  @IsString()
  @Length(1, 200)
  deviceName: string;

  @IsString()
  @Length(1, 100)
  platform: string;

  @IsString()
  @Length(1, 50)
  version: string;

  @Matches(BASE64_32, { message: 'signPublicKey must be 32 bytes in base64' })
  signPublicKey: string;

  @Matches(BASE64_32, { message: 'sealPublicKey must be 32 bytes in base64' })
  sealPublicKey: string;

  @Matches(BASE64_64, { message: 'proof must be 64 bytes in base64' })
  proof: string;
}

export interface EnrolAnswer {
  readonly agentId: string;
  readonly workspaceId: string;
  readonly serverId: string;
  /** Ed25519 public key (base64) that the agent pins; commands are signed with it. */
  readonly commandPublicKey: string;
  readonly commandKeyId: string;
  /** The workspace's recovery recipient at enrolment (`age1…`), pinned by the agent; null when none is set yet. */
  readonly recoveryRecipient: string | null;
  /** Six words, also shown by the console; both sides compute them from the three public keys. */
  readonly fingerprint: string;
}

export interface ToolVersion {
  /** `pg_dump`, `pg_restore`, `psql`, … */
  readonly name: string;
  /** `15.20` */
  readonly version: string;
  readonly path: string;
}

export interface AgentView {
  readonly id: string;
  readonly deviceName: string;
  readonly label: string | null;
  readonly platform: string;
  readonly version: string;
  readonly status: AgentStatus;
  readonly fingerprint: string;
  /** Ed25519, base64: its manifests are checked with it. */
  readonly signPublicKey: string;
  /** X25519, base64: secrets are sealed to it. */
  readonly sealPublicKey: string;
  readonly tools: readonly ToolVersion[];
  readonly lastSeenAt: string | null;
  readonly createdAt: string;
}

/** POST /v1/agents/:id/reaccept: lets a quarantined agent in again. */
export class ReacceptAgentDto {
  /** The six words, as the agent's own machine shows them. */
  @IsString()
  @Length(5, 200)
  fingerprint: string;
}
