import { Injectable } from '@nestjs/common';
import type { PersonView } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { AuditTrail } from '../audit/index.js';
import type { IssuedDevice } from './known-devices.service.js';
import { SessionService } from './session.service.js';
import type { IssuedSession, SessionClient } from './session.service.js';

export interface StartedSession {
  readonly user: PersonView;
  readonly session: IssuedSession;
  readonly device: IssuedDevice;
}

/** What led to a session, for the audit log. */
export interface Occasion {
  readonly action: 'workspace.created' | 'session.started';
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Begins a session for somebody who has proved who they are, with its trace. */
@Injectable()
export class SessionOpening {
  constructor(
    private readonly sessions: SessionService,
    private readonly audit: AuditTrail,
  ) {}

  /** In the caller's transaction (system path). */
  async open(tx: Tx, user: PersonView, client: SessionClient, { action, detail }: Occasion): Promise<IssuedSession> {
    const session = await this.sessions.begin(tx, { userId: user.id, workspaceId: user.workspaceId }, client);
    await this.audit.record(tx, {
      workspaceId: user.workspaceId,
      actor: {
        userId: user.id,
        workspaceId: user.workspaceId,
        role: user.role,
        ip: client.ip,
        sessionId: session.sessionId,
        authenticatedAt: session.authenticatedAt,
      },
      action,
      targetType: 'user',
      targetId: user.id,
      ...(detail ? { detail } : {}),
    });
    return session;
  }
}
