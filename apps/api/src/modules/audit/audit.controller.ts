import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Controller, Get, Logger, Query, Res } from '@nestjs/common';
import { AuditQueryDto, AuditVerifyQueryDto } from '@rahatback/contracts';
import type { AuditCheckpointAnswer, AuditVerification, AuditView, Page } from '@rahatback/contracts';
import type { Response } from 'express';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, Roles, TokenScope } from '../../platform/http/decorators.js';
import { pageOf } from '../../platform/http/pages.js';
import { AuditEvent } from './audit-event.entity.js';
import { AuditVerifications } from './audit-verification.service.js';

/** As `AuditTrail` writes it. */
function tokenNameOf(detail: object | null): string | null {
  const { apiToken } = (detail ?? {}) as { apiToken?: { name?: unknown } };
  return typeof apiToken?.name === 'string' ? apiToken.name : null;
}

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
  apiToken: tokenNameOf(event.detail),
  sequence: event.sequence,
  hash: event.hash,
});

@Controller('v1/audit')
export class AuditController {
  private readonly log = new Logger(AuditController.name);

  constructor(
    private readonly database: Database,
    private readonly verifications: AuditVerifications,
  ) {}

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

  /** Reads the whole chain, and every checkpoint; names the first row that is wrong. */
  @Roles('owner', 'admin')
  @TokenScope('admin')
  @Get('verify')
  verify(@CurrentActor() actor: Actor, @Query() kept: AuditVerifyQueryDto): Promise<AuditVerification> {
    return this.verifications.verify(actor.workspaceId, kept);
  }

  @Get('checkpoint')
  checkpoint(@CurrentActor() actor: Actor): Promise<AuditCheckpointAnswer> {
    return this.verifications.checkpoint(actor.workspaceId);
  }

  /** All of the log as lines of JSON, with hashes and checkpoints: docs/AUDIT.md has the script that checks it without this server. */
  @Roles('owner', 'admin')
  @TokenScope('admin')
  @Get('export')
  async export(@CurrentActor() actor: Actor, @Res() response: Response): Promise<void> {
    response.attachment('audit.ndjson').setHeader('Content-Type', 'application/x-ndjson');
    await pipeline(Readable.from(this.verifications.export(actor.workspaceId)), response).catch((error: unknown) => {
      // The reader sees a broken transfer, never a short file.
      this.log.warn({ err: error }, 'An export of the audit log was cut.');
      response.destroy();
    });
  }
}
