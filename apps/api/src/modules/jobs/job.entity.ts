import type { BackupType, Compression, ScheduleType, SealedSecret, VerificationLevel } from '@rahatback/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The passphrase's own key, derived once and sealed to the agent, and the public numbers that derive it again. */
export interface JobPassphrase {
  /** base64 */
  readonly salt: string;
  readonly memoryKib: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly kek: SealedSecret;
}

@Entity('jobs')
export class JobRow {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('uuid', { name: 'database_id' }) databaseId: string;
  @Column('uuid', { name: 'storage_id' }) storageId: string;
  @Column('text') name: string;
  /** Folder on the agent's own disk; null where the storage is the server's to reach. */
  @Column('text', { name: 'storage_path', nullable: true }) storagePath: string | null;
  @Column('text', { name: 'schedule_type', default: 'manual' }) scheduleType: ScheduleType;
  @Column('text', { name: 'time_zone', default: 'Europe/Istanbul' }) timeZone: string;
  @Column('text', { name: 'backup_type', default: 'full' }) backupType: BackupType;
  @Column('text', { default: 'zstd' }) compression: Compression;
  @Column('boolean', { name: 'is_encrypted', default: false }) isEncrypted: boolean;
  @Column('jsonb', { nullable: true }) passphrase: JobPassphrase | null;
  /** Grows with every new passphrase, and when it is taken away: a chain never spans two. */
  @Column('integer', { name: 'passphrase_version', default: 0 }) passphraseVersion: number;
  @Column('boolean', { name: 'auto_verify_after_backup', default: false }) autoVerifyAfterBackup: boolean;
  @Column('text', { name: 'verification_level', nullable: true }) verificationLevel: VerificationLevel | null;
  @Column('integer', { name: 'retention_days', nullable: true }) retentionDays: number | null;
  @Column('integer', { name: 'time_limit_minutes', default: 180 }) timeLimitMinutes: number;
  @Column('integer', { name: 'max_chain_length', default: 30 }) maxChainLength: number;
  @Column('boolean', { name: 'is_active', default: true }) isActive: boolean;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
  @Column('timestamptz', { name: 'deleted_at', nullable: true }) deletedAt: Date | null;
}
