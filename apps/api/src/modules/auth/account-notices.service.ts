import { Injectable } from '@nestjs/common';
import type { AccountNotice } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Tx } from '../../platform/database/database.js';
import { LiveEvents } from '../../platform/realtime/live-events.js';

/** Tells a person's own pages what happened to their account: if it was not they, they see it while it can still be mended. */
@Injectable()
export class AccountNotices {
  constructor(
    private readonly database: Database,
    private readonly live: LiveEvents,
  ) {}

  /** After the commit of `tx`. A hint that may be lost: what counts is the audit row of the same transaction. */
  send(tx: Tx, userId: string, kind: AccountNotice['kind']): void {
    const at = new Date().toISOString();
    this.database.afterCommit(tx, () => this.live.toPerson(userId, 'account:notice', { kind, at }));
  }
}
