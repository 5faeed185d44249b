import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintAsNumber } from '../../platform/database/columns.js';

/** The right to work on a resource. Held while `holder` is set and `expiresAt` is ahead of the database's clock; the fence only grows. */
@Entity('leases')
export class LeaseRow {
  @PrimaryColumn('text') resource: string;
  @Column('uuid', { name: 'workspace_id' }) workspaceId: string;
  @Column('bigint', { transformer: bigintAsNumber, default: 0 }) fence: number;
  /** The agent that works under the lease. */
  @Column('text', { nullable: true }) holder: string | null;
  /** The backup or restore that the lease serves. */
  @Column('uuid', { name: 'operation_id', nullable: true }) operationId: string | null;
  @Column('timestamptz', { name: 'expires_at', nullable: true }) expiresAt: Date | null;
}
