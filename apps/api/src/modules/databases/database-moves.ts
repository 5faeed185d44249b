import { Injectable } from '@nestjs/common';
import type { JobPassphraseDto } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';

export interface DatabaseMove {
  readonly actor: Actor;
  readonly databaseId: string;
  /** Who takes it over. */
  readonly agentId: string;
  readonly passphrases: readonly JobPassphraseDto[];
}

/** What is left to do in the transaction of the move. */
export type MoveStep = (tx: Tx) => Promise<void>;
export type DatabaseMoveHandler = (move: DatabaseMove) => Promise<MoveStep>;

/** Modules further on seal here what belongs to a database that goes to another agent: slow work first, then their part of the transaction. */
@Injectable()
export class DatabaseMoves {
  private readonly handlers: DatabaseMoveHandler[] = [];

  /** Called in `onModuleInit`. */
  onMove(handler: DatabaseMoveHandler): void {
    this.handlers.push(handler);
  }

  /** Outside of any transaction. A handler may refuse by throwing, now or in its step. */
  async prepare(move: DatabaseMove): Promise<readonly MoveStep[]> {
    const steps: MoveStep[] = [];
    for (const handler of this.handlers) steps.push(await handler(move));
    return steps;
  }
}
