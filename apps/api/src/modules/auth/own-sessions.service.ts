import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { SessionView } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { AuditTrail } from '../audit/index.js';
import { SessionService } from './session.service.js';
import { SessionsRepository } from './sessions.repository.js';

/** A person's own log-ins: seen, and ended from afar. */
@Injectable()
export class OwnSessions {
  constructor(
    private readonly database: Database,
    private readonly open: SessionsRepository,
    private readonly sessions: SessionService,
    private readonly audit: AuditTrail,
  ) {}

  list(actor: Actor): Promise<SessionView[]> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) =>
      (await this.open.ofPerson(tx, actor.userId)).map(({ startedAt, lastUsedAt, expiresAt, ...session }) => ({
        ...session,
        startedAt: startedAt.toISOString(),
        lastUsedAt: lastUsedAt.toISOString(),
        expiresAt: expiresAt.toISOString(),
        current: session.id === actor.sessionId,
      })),
    );
  }

  /** @throws AppError NOT_FOUND for a session that has ended or is somebody else's */
  end(actor: Actor, sessionId: string): Promise<void> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const own = await this.open.ofPerson(tx, actor.userId);
      const isOwn = own.some(({ id }) => id === sessionId);
      if (!isOwn || !(await this.sessions.revokeFamily(tx, sessionId)))
        throw new AppError('NOT_FOUND', 'There is no such session, or it has ended.');
      await this.record(tx, actor, [sessionId]);
    });
  }

  /** All but the one that asks. May run twice. Answers how many it ended. */
  endOthers(actor: Actor): Promise<number> {
    return this.database.inWorkspace(actor.workspaceId, (tx) => this.endOthersIn(tx, actor));
  }

  /** In the caller's transaction; on the system path also those of other workspaces. */
  async endOthersIn(tx: Tx, actor: Actor): Promise<number> {
    const others = (await this.open.ofPerson(tx, actor.userId)).filter(({ id }) => id !== actor.sessionId);
    const ended: string[] = [];
    for (const { id } of others) if (await this.sessions.revokeFamily(tx, id)) ended.push(id);
    if (ended.length > 0) await this.record(tx, actor, ended);
    return ended.length;
  }

  private record(tx: Tx, actor: Actor, sessionIds: string[]): Promise<void> {
    const { workspaceId, userId } = actor;
    return this.audit.record(tx, {
      workspaceId,
      actor,
      action: 'session.revoked',
      targetType: 'user',
      targetId: userId,
      detail: { sessionIds },
    });
  }
}
