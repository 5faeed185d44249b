import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('enrol_codes')
export class EnrolCodeRow {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  /** hex; the code itself is never stored. */
  @Column('text', { name: 'code_sha256' }) codeSha256: string;
  @Column('text', { nullable: true }) label: string | null;
  @Column('uuid', { name: 'created_by' }) createdBy: string;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt: Date;
  @Column('timestamptz', { name: 'used_at', nullable: true }) usedAt: Date | null;
  @Column('uuid', { name: 'agent_id', nullable: true }) agentId: string | null;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
}
