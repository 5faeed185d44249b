import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintAsNumber } from '../../platform/database/columns.js';

/** What the server knows of an object of an attempt: an open multipart upload, or a stored object with its confirmed size. */
@Entity('backup_objects')
export class BackupObjectRow {
  @PrimaryColumn('uuid', { name: 'backup_id' }) backupId: string;
  @PrimaryColumn('bigint', { transformer: bigintAsNumber }) fence: number;
  @PrimaryColumn('text') object: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('text', { name: 'upload_id', nullable: true }) uploadId: string | null;
  @Column('text') state: 'open' | 'stored';
  @Column('bigint', { name: 'size_bytes', nullable: true, transformer: bigintAsNumber }) sizeBytes: number | null;
  @Column('text', { nullable: true }) sha256: string | null;
  /** The storage's own, from when the bytes were last known to be those of `sha256`. */
  @Column('text', { nullable: true }) stamp: string | null;
}
