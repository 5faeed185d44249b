import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintAsNumber } from '../../platform/database/columns.js';

@Entity('audit_events')
export class AuditEvent {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'workspace_id' })
  workspaceId: string;

  @Column('timestamptz', { default: () => 'now()' })
  at: Date;

  @Column('text', { name: 'actor_type' })
  actorType: 'user' | 'agent' | 'system' | 'anonymous';

  @Column('uuid', { name: 'actor_id', nullable: true })
  actorId: string | null;

  @Column('text')
  action: string;

  @Column('text', { name: 'target_type', nullable: true })
  targetType: string | null;

  @Column('text', { name: 'target_id', nullable: true })
  targetId: string | null;

  @Column('text')
  outcome: 'success' | 'failure';

  @Column('text', { nullable: true })
  ip: string | null;

  @Column('text', { name: 'correlation_id', nullable: true })
  correlationId: string | null;

  @Column('jsonb', { nullable: true })
  detail: object | null;

  /** From 1 in each workspace. Null: not yet chained. The application may not write it with the row, only once afterwards. */
  @Column({ type: 'bigint', nullable: true, insert: false, transformer: bigintAsNumber })
  sequence: number | null;

  /** Lower-case hex of SHA-256. */
  @Column({ type: 'text', name: 'previous_hash', nullable: true, insert: false })
  previousHash: string | null;

  @Column({ type: 'text', nullable: true, insert: false })
  hash: string | null;
}
