import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One link of a log-in's chain (`familyId`); only the newest unused one can be exchanged. */
@Entity('refresh_tokens')
export class RefreshTokenRow {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'workspace_id' })
  workspaceId: string;

  @Column('uuid', { name: 'user_id' })
  userId: string;

  @Column('uuid', { name: 'family_id' })
  familyId: string;

  @Column('text', { name: 'secret_sha256' })
  secretSha256: string;

  @Column('uuid', { name: 'successor_id', nullable: true })
  successorId: string | null;

  @Column('timestamptz', { name: 'used_at', nullable: true })
  usedAt: Date | null;

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt: Date | null;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt: Date;

  @Column('timestamptz', { name: 'family_expires_at' })
  familyExpiresAt: Date;

  @Column('text', { nullable: true })
  ip: string | null;

  /** Of `ip`: see `networkOf`. */
  @Column('text', { nullable: true })
  network: string | null;

  @Column('text', { name: 'user_agent', nullable: true })
  userAgent: string | null;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;
}
