import type { CommandPayloads, CommandState, CommandType, SealedSecret } from '@rahatback/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintAsNumber } from '../../platform/database/columns.js';

/** One row per command to an agent: the outbox, and the memory of what became of it. */
@Entity('commands')
export class CommandRow {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('uuid', { name: 'agent_id' }) agentId: string;
  @Column('bigint', { transformer: bigintAsNumber }) sequence: number;
  @Column('text') type: CommandType;
  /** What the fence guards, e.g. `backup:<jobId>`. */
  @Column('text') resource: string;
  @Column('bigint', { transformer: bigintAsNumber }) fence: number;
  @Column('text') state: CommandState;
  @Column('jsonb') payload: CommandPayloads[CommandType];
  @Column('jsonb', { default: [] }) sealed: readonly SealedSecret[];
  @Column('integer', { default: 0 }) deliveries: number;
  @Column('jsonb', { nullable: true }) result: unknown;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
  @Column('timestamptz', { name: 'sent_at', nullable: true }) sentAt: Date | null;
  @Column('timestamptz', { name: 'accepted_at', nullable: true }) acceptedAt: Date | null;
  @Column('timestamptz', { name: 'ended_at', nullable: true }) endedAt: Date | null;
  /** By the database's clock. An agent must have accepted the command by then. */
  @Column('timestamptz', { name: 'expires_at' }) expiresAt: Date;
}
