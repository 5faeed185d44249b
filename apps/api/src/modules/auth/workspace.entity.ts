import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('workspaces')
export class Workspace {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text')
  name: string;

  /** `age1…`, the public half only. */
  @Column('text', { name: 'recovery_recipient', nullable: true })
  recoveryRecipient: string | null;

  /** Every person of the workspace needs an authenticator. */
  @Column('boolean', { name: 'require_totp', default: false })
  requireTotp: boolean;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;
}
