import type { ToolVersion } from '@rahatback/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintAsNumber } from '../../platform/database/columns.js';

export type AgentState = 'active' | 'quarantined' | 'revoked';

@Entity('agents')
export class AgentRow {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('text', { name: 'device_name' }) deviceName: string;
  @Column('text', { nullable: true }) label: string | null;
  @Column('text') platform: string;
  @Column('text') version: string;
  @Column('text', { default: 'active' }) state: AgentState;
  /** Ed25519, base64 of 32 bytes. */
  @Column('text', { name: 'sign_public_key' }) signPublicKey: string;
  /** X25519, base64 of 32 bytes. */
  @Column('text', { name: 'seal_public_key' }) sealPublicKey: string;
  @Column('text') fingerprint: string;
  @Column('jsonb', { default: [] }) tools: readonly ToolVersion[];
  /** The newest session generation that the agent is known to hold on disk; -1: an operator re-accepted it, whatever it holds next counts. */
  @Column('bigint', { name: 'generation_confirmed', transformer: bigintAsNumber, default: 0 }) generationConfirmed: number;
  /** The newest generation handed out; the agent may have died before keeping it. */
  @Column('bigint', { name: 'generation_pending', transformer: bigintAsNumber, default: 0 }) generationPending: number;
  /** The socket of the one live session, null when there is none. */
  @Column('text', { name: 'session_id', nullable: true }) sessionId: string | null;
  @Column('timestamptz', { name: 'last_seen_at', nullable: true }) lastSeenAt: Date | null;
  /** The last command sequence given out. */
  @Column('bigint', { name: 'command_sequence', transformer: bigintAsNumber, default: 0 }) commandSequence: number;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
}
