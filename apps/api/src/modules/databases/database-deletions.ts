import { Injectable } from '@nestjs/common';
import type { Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';

export type DatabaseDeletionHandler = (tx: Tx, actor: Actor, databaseId: string) => Promise<void>;

/** Modules further on settle here what belongs to a database that is being deleted, in the same transaction. A handler may refuse by throwing. */
@Injectable()
export class DatabaseDeletions {
  private readonly handlers: DatabaseDeletionHandler[] = [];

  /** Called in `onModuleInit`. */
  onDelete(handler: DatabaseDeletionHandler): void {
    this.handlers.push(handler);
  }

  async announce(tx: Tx, actor: Actor, databaseId: string): Promise<void> {
    for (const handler of this.handlers) await handler(tx, actor, databaseId);
  }
}
