import type { StorageType } from '@rahatback/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What a storage is made of, without its credentials. Which fields are set depends on the type. */
export interface StorageSettings {
  /** local: folder below `<storageRoot>/<workspaceId>/`. */
  readonly path?: string;
  /** local: the agent on whose disk `path` is; unset for the server's own. */
  readonly agentId?: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly bucket?: string;
  /** Without leading or trailing slash; may be empty. */
  readonly prefix?: string;
  readonly forcePathStyle?: boolean;
  readonly storageClass?: string;
  readonly sse?: string;
}

@Entity('storages')
export class StorageRow {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('text', { name: 'storage_type' }) storageType: StorageType;
  @Column('text') name: string;
  @Column('boolean', { name: 'is_default', default: false }) isDefault: boolean;
  @Column('jsonb') settings: StorageSettings;
  /** Sealed by the server's key-encryption key, bound to this row and workspace. Null where none are needed. */
  @Column('text', { nullable: true }) credentials: string | null;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
  @Column('timestamptz', { name: 'deleted_at', nullable: true }) deletedAt: Date | null;
}
