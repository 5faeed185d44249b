import { PageQueryDto } from './pagination.dto.js';

/** GET /v1/audit. */
export class AuditQueryDto extends PageQueryDto {}

export interface AuditView {
  readonly id: string;
  readonly at: string;
  readonly actorType: 'user' | 'agent' | 'system' | 'anonymous';
  readonly actorId: string | null;
  readonly action: string;
  readonly targetType: string | null;
  readonly targetId: string | null;
  readonly outcome: 'success' | 'failure';
  readonly ip: string | null;
}
