import type { AttemptStep, ErrorCode } from '@rahatback/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { AttemptState } from './backup-states.js';
import { bigintAsNumber } from '../../platform/database/columns.js';
import type { BackupRow } from './backup.entity.js';

/** What an accepted manifest says of its backup, as the row keeps it. */
export type ManifestFacts = Pick<
  BackupRow,
  | 'manifestSha256'
  | 'sizeBytes'
  | 'storedBytes'
  | 'serverVersion'
  | 'toolMajor'
  | 'backupType'
  | 'chainId'
  | 'chainPosition'
  | 'baseBackupId'
>;

/** One try of one backup. Its fence is in the path of everything it writes, so that a late writer can overwrite nothing. */
@Entity('backup_attempts')
export class BackupAttemptRow {
  @PrimaryColumn('uuid', { name: 'backup_id' }) backupId: string;
  @PrimaryColumn('bigint', { transformer: bigintAsNumber }) fence: number;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('integer') attempt: number;
  @Column('uuid', { name: 'command_id' }) commandId: string;
  @Column('text') state: AttemptState;
  @Column('jsonb') steps: readonly AttemptStep[];
  @Column('text', { name: 'log_tail', nullable: true }) logTail: string | null;
  @Column('text', { name: 'error_code', nullable: true }) errorCode: ErrorCode | null;
  @Column('text', { name: 'error_message', nullable: true }) errorMessage: string | null;
  /** Agent's own disk: the manifest that was counter-signed, and that the agent has not yet reported as written. */
  @Column('jsonb', { nullable: true }) accepted: ManifestFacts | null;
  @Column('timestamptz', { name: 'started_at' }) startedAt: Date;
  @Column('timestamptz', { name: 'ended_at', nullable: true }) endedAt: Date | null;
  @Column('timestamptz', { name: 'cleaned_at', nullable: true }) cleanedAt: Date | null;
}
