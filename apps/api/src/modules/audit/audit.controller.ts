import { Controller, Get, Query } from '@nestjs/common';
import { AuditQueryDto } from '@rahatback/contracts';
import type { AuditView, Page } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor } from '../../platform/http/decorators.js';
import { pageOf } from '../../platform/http/pages.js';
import { AuditEvent } from './audit-event.entity.js';

const toAuditView = (event: AuditEvent): AuditView => ({
  id: event.id,
  at: event.at.toISOString(),
  actorType: event.actorType,
  actorId: event.actorId,
  action: event.action,
  targetType: event.targetType,
  targetId: event.targetId,
  outcome: event.outcome,
  ip: event.ip,
});

@Controller('v1/audit')
export class AuditController {
  constructor(private readonly database: Database) {}

  @Get()
  list(@CurrentActor() actor: Actor, @Query() query: AuditQueryDto): Promise<Page<AuditView>> {
    return this.database.inWorkspace(actor.workspaceId, (tx) =>
      pageOf(query, {
        find: async (skip, take) => {
          const events = await tx.find(AuditEvent, { order: { at: 'DESC', id: 'DESC' }, skip, take });
          return events.map(toAuditView);
        },
        countUpTo: async (limit) => {
          const [row] = await tx.query<{ count: number }[]>(
            'SELECT count(*)::int AS count FROM (SELECT 1 FROM audit_events LIMIT $1) capped',
            [limit],
          );
          return row?.count ?? 0;
        },
      }),
    );
  }
}
