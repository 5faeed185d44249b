import type { DatabaseType, SealedSecret, TlsMode } from '@rahatback/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('databases')
export class DatabaseRow {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('uuid', { name: 'agent_id' }) agentId: string;
  @Column('text') name: string;
  @Column('text') type: DatabaseType;
  @Column('text') host: string;
  @Column('integer') port: number;
  @Column('text') username: string;
  @Column('text', { name: 'database_name' }) databaseName: string;
  @Column('text', { name: 'tls_mode', default: 'prefer' }) tlsMode: TlsMode;
  @Column('text', { name: 'tls_ca', nullable: true }) tlsCa: string | null;
  /** Sealed to the agent's key when it was saved: the server cannot open it. */
  @Column('jsonb', { nullable: true }) password: SealedSecret | null;
  @Column('integer', { name: 'password_version', default: 0 }) passwordVersion: number;
  @Column('text', { name: 'server_version', nullable: true }) serverVersion: string | null;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
  @Column('timestamptz', { name: 'deleted_at', nullable: true }) deletedAt: Date | null;
}
