import type {
  AttemptStep,
  BackupProgressView,
  ErrorCode,
  RestoreMode,
  RestoreSelection,
  RestoreStatus,
  SwapState,
  TableComparison,
} from '@rahatback/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintAsNumber } from '../../platform/database/columns.js';

@Entity('restores')
export class RestoreRow {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('uuid', { name: 'backup_id' }) backupId: string;
  @Column('uuid', { name: 'database_id' }) databaseId: string;
  @Column('uuid', { name: 'agent_id' }) agentId: string;
  @Column('uuid', { name: 'command_id' }) commandId: string;
  @Column('bigint', { transformer: bigintAsNumber }) fence: number;
  @Column('text', { name: 'target_database' }) targetDatabase: string;
  @Column('text') status: RestoreStatus;
  @Column('text', { default: 'beside' }) mode: RestoreMode;
  /** The database whose server took the copy, where it is not `databaseId`. */
  @Column('uuid', { name: 'target_database_id', nullable: true }) targetDatabaseId: string | null;
  @Column('text', { name: 'live_database', nullable: true }) liveDatabase: string | null;
  @Column('jsonb', { default: [] }) selection: readonly RestoreSelection[];
  @Column('integer', { default: 1 }) parallelism: number;
  @Column('integer', { name: 'drain_seconds', default: 30 }) drainSeconds: number;
  @Column('integer', { name: 'undo_hours', default: 24 }) undoHours: number;
  @Column('text', { name: 'swap_state', nullable: true }) swapState: SwapState | null;
  @Column('uuid', { name: 'swap_command_id', nullable: true }) swapCommandId: string | null;
  @Column('text', { name: 'retired_database', nullable: true }) retiredDatabase: string | null;
  @Column('timestamptz', { name: 'undo_until', nullable: true }) undoUntil: Date | null;
  @Column('jsonb', { nullable: true }) progress: BackupProgressView | null;
  @Column('jsonb') steps: readonly AttemptStep[];
  @Column('jsonb') tables: readonly TableComparison[];
  @Column('integer', { name: 'tables_total', nullable: true }) tablesTotal: number | null;
  @Column('integer', { name: 'tables_equal', nullable: true }) tablesEqual: number | null;
  @Column('text', { name: 'log_tail', nullable: true }) logTail: string | null;
  @Column('text', { name: 'error_code', nullable: true }) errorCode: ErrorCode | null;
  @Column('text', { name: 'error_message', nullable: true }) errorMessage: string | null;
  @Column('uuid', { name: 'requested_by', nullable: true }) requestedBy: string | null;
  @Column('timestamptz', { name: 'started_at' }) startedAt: Date;
  @Column('timestamptz', { name: 'completed_at', nullable: true }) completedAt: Date | null;
  @Column('timestamptz', { name: 'deadline_at', nullable: true }) deadlineAt: Date | null;
}
