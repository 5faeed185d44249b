import type { BackupProgressView, BackupStatus, BackupType, Compression, ErrorCode } from '@rahatback/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintAsNumber } from '../../platform/database/columns.js';

@Entity('backups')
export class BackupRow {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('uuid', { name: 'job_id' }) jobId: string;
  @Column('uuid', { name: 'database_id' }) databaseId: string;
  @Column('uuid', { name: 'storage_id' }) storageId: string;
  @Column('uuid', { name: 'agent_id' }) agentId: string;
  @Column('text') status: BackupStatus;
  /** True from the decision to publish the manifest until the row is settled: nothing else may end the row meanwhile. */
  @Column('boolean') publishing: boolean;
  @Column('timestamptz', { name: 'publishing_at', nullable: true }) publishingAt: Date | null;
  @Column('text', { name: 'backup_type' }) backupType: BackupType;
  @Column('text') compression: Compression;
  @Column('bigint', { transformer: bigintAsNumber }) fence: number;
  @Column('integer') attempt: number;
  @Column('uuid', { name: 'chain_id', nullable: true }) chainId: string | null;
  @Column('uuid', { name: 'base_backup_id', nullable: true }) baseBackupId: string | null;
  @Column('integer', { name: 'chain_position' }) chainPosition: number;
  @Column('integer', { name: 'passphrase_version' }) passphraseVersion: number;
  @Column('integer', { name: 'tool_major', nullable: true }) toolMajor: number | null;
  @Column('text', { name: 'server_version', nullable: true }) serverVersion: string | null;
  @Column('bigint', { name: 'size_bytes', nullable: true, transformer: bigintAsNumber }) sizeBytes: number | null;
  @Column('bigint', { name: 'stored_bytes', nullable: true, transformer: bigintAsNumber }) storedBytes: number | null;
  @Column('text', { name: 'manifest_sha256', nullable: true }) manifestSha256: string | null;
  @Column('jsonb', { nullable: true }) progress: BackupProgressView | null;
  @Column('timestamptz', { name: 'started_at' }) startedAt: Date;
  @Column('timestamptz', { name: 'completed_at', nullable: true }) completedAt: Date | null;
  @Column('timestamptz', { name: 'deadline_at', nullable: true }) deadlineAt: Date | null;
  @Column('text', { name: 'error_code', nullable: true }) errorCode: ErrorCode | null;
  @Column('text', { name: 'error_message', nullable: true }) errorMessage: string | null;
  @Column('uuid', { name: 'requested_by', nullable: true }) requestedBy: string | null;
  @Column('timestamptz', { name: 'deleting_at', nullable: true }) deletingAt: Date | null;
  @Column('timestamptz', { name: 'deleted_at', nullable: true }) deletedAt: Date | null;
}
