import type {
  BackupProgressView,
  BackupStatus,
  BackupType,
  Compression,
  ErrorCode,
  VerificationLevel,
} from '@rahatback/contracts';
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
  /** Of the newest verification that judged it. */
  @Column('text', { name: 'verification_status', nullable: true }) verificationStatus: 'PASSED' | 'FAILED' | null;
  @Column('text', { name: 'verification_level', nullable: true }) verificationLevel: VerificationLevel | null;
  @Column('timestamptz', { name: 'verified_at', nullable: true }) verifiedAt: Date | null;
  @Column('bigint', { name: 'measured_restore_ms', nullable: true, transformer: bigintAsNumber }) measuredRestoreMs:
    number | null;
  /** Set at its start when its job verifies what it makes; null again once that verification is on its way. */
  @Column('text', { name: 'verify_after', nullable: true }) verifyAfter: VerificationLevel | null;
  /** A sentence naming what is missing or altered; such a backup is no base of a new link. */
  @Column('text', { nullable: true }) damage: string | null;
  @Column('timestamptz', { name: 'imported_at', nullable: true }) importedAt: Date | null;
  /** An imported backup stands in the storage, and is encrypted, under the ids of the workspace and database that it was made in. */
  @Column('uuid', { name: 'origin_workspace_id', nullable: true }) originWorkspaceId: string | null;
  @Column('uuid', { name: 'origin_database_id', nullable: true }) originDatabaseId: string | null;
  @Column('timestamptz', { name: 'deleting_at', nullable: true }) deletingAt: Date | null;
  @Column('timestamptz', { name: 'deleted_at', nullable: true }) deletedAt: Date | null;
}
