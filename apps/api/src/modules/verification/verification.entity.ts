import type {
  AttemptStep,
  BackupProgressView,
  ErrorCode,
  TableComparison,
  VerificationCheck,
  VerificationLevel,
  VerificationStatus,
  VerificationTrigger,
} from '@rahatback/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintAsNumber } from '../../platform/database/columns.js';

@Entity('verifications')
export class VerificationRow {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('uuid', { name: 'backup_id' }) backupId: string;
  @Column('uuid', { name: 'database_id' }) databaseId: string;
  @Column('uuid', { name: 'agent_id' }) agentId: string;
  @Column('uuid', { name: 'command_id' }) commandId: string;
  @Column('bigint', { transformer: bigintAsNumber }) fence: number;
  @Column('text') level: VerificationLevel;
  @Column('text') status: VerificationStatus;
  @Column('text') trigger: VerificationTrigger;
  /** Why it was skipped or failed. */
  @Column('text', { nullable: true }) reason: string | null;
  @Column('jsonb', { nullable: true }) progress: BackupProgressView | null;
  @Column('jsonb', { default: [] }) checks: readonly VerificationCheck[];
  @Column('jsonb', { default: [] }) tables: readonly TableComparison[];
  @Column('integer', { name: 'tables_total', nullable: true }) tablesTotal: number | null;
  @Column('integer', { name: 'tables_equal', nullable: true }) tablesEqual: number | null;
  @Column('bigint', { name: 'restore_ms', nullable: true, transformer: bigintAsNumber }) restoreMs: number | null;
  @Column('jsonb', { default: [] }) steps: readonly AttemptStep[];
  @Column('text', { name: 'log_tail', nullable: true }) logTail: string | null;
  @Column('text', { name: 'error_code', nullable: true }) errorCode: ErrorCode | null;
  @Column('text', { name: 'error_message', nullable: true }) errorMessage: string | null;
  @Column('uuid', { name: 'requested_by', nullable: true }) requestedBy: string | null;
  @Column('timestamptz', { name: 'started_at' }) startedAt: Date;
  @Column('timestamptz', { name: 'completed_at', nullable: true }) completedAt: Date | null;
  @Column('timestamptz', { name: 'deadline_at', nullable: true }) deadlineAt: Date | null;
}
