import { Injectable } from '@nestjs/common';
import type { Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { newId } from '../../platform/ids.js';
import { correlationId } from '../../platform/logging/correlation.js';
import { AuditEvent } from './audit-event.entity.js';

export type AuditActor = Actor | { readonly agentId: string } | { readonly anonymousIp: string } | 'system';

export interface AuditRecord {
  readonly workspaceId: string;
  readonly actor: AuditActor;
  /** `<thing>.<what happened>`, e.g. `backup.started`. */
  readonly action: string;
  readonly targetType?: string;
  readonly targetId?: string;
  readonly outcome?: 'success' | 'failure';
  /** Ids and plain facts; never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

const actorColumns = (actor: AuditActor): Pick<AuditEvent, 'actorType' | 'actorId' | 'ip'> => {
  if (actor === 'system') return { actorType: 'system', actorId: null, ip: null };
  if ('agentId' in actor) return { actorType: 'agent', actorId: actor.agentId, ip: null };
  if ('anonymousIp' in actor) return { actorType: 'anonymous', actorId: null, ip: actor.anonymousIp };
  return { actorType: 'user', actorId: actor.userId, ip: actor.ip };
};

/** What somebody did with an API token says with which, by the name that its maker gave it. */
const detailOf = ({ actor, detail }: AuditRecord): AuditEvent['detail'] => {
  if (actor === 'system' || !('apiToken' in actor) || !actor.apiToken) return detail ?? null;
  return { ...detail, apiToken: { id: actor.apiToken.id, name: actor.apiToken.name } };
};

/** Who did what, when, from where. The row belongs to the transaction of the deed: no action without a trace, no trace without the action. */
@Injectable()
export class AuditTrail {
  async record(tx: Tx, event: AuditRecord): Promise<void> {
    await tx.insert(AuditEvent, {
      id: newId(),
      workspaceId: event.workspaceId,
      ...actorColumns(event.actor),
      action: event.action,
      targetType: event.targetType ?? null,
      targetId: event.targetId ?? null,
      outcome: event.outcome ?? 'success',
      correlationId: correlationId() ?? null,
      detail: detailOf(event),
    });
  }
}
