import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { EntityManager } from 'typeorm';
import { DataSource } from 'typeorm';
import { translateDatabaseError } from './database-errors.js';

/** One transaction. Only code that was handed one may touch tables. */
export type Tx = EntityManager;

/**
 * The only way to PostgreSQL. Row-level security shows a transaction the rows of its workspace and nothing else; `asSystem` is the explicit
 * path for work that belongs to no single workspace (log-in, sweeps, agent sessions) and needs a reason.
 */
@Injectable()
export class Database {
  private readonly log = new Logger(Database.name);
  private readonly actions = new WeakMap<Tx, (() => void | Promise<void>)[]>();

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  inWorkspace<T>(workspaceId: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.run(
      [`SELECT set_config('app.workspace_id', $1, true), set_config('app.system', 'off', true)`, [workspaceId]],
      work,
    );
  }

  /** `reason` is shown as the session's application name, so that a look at pg_stat_activity explains the privileged work. */
  asSystem<T>(reason: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.run(
      [
        `SELECT set_config('app.system', 'on', true), set_config('application_name', $1, true)`,
        [`rahatback system: ${reason}`.slice(0, 63)],
      ],
      work,
    );
  }

  /** Runs `action` once, after the COMMIT of `tx`, never after a rollback. Its failure is logged: it may only be a hint, never state. */
  afterCommit(tx: Tx, action: () => void | Promise<void>): void {
    const actions = this.actions.get(tx);
    if (!actions) throw new Error('afterCommit needs a transaction of this Database that is still open.');
    actions.push(action);
  }

  private async run<T>(scope: [sql: string, parameters: string[]], work: (tx: Tx) => Promise<T>): Promise<T> {
    const actions: (() => void | Promise<void>)[] = [];
    let began = false;
    let result: T;
    try {
      result = await this.dataSource.transaction(async (tx) => {
        await tx.query(...scope);
        this.actions.set(tx, actions);
        began = true;
        try {
          return await work(tx);
        } finally {
          this.actions.delete(tx);
        }
      });
    } catch (error) {
      throw translateDatabaseError(error, began);
    }
    for (const action of actions) {
      try {
        await action();
      } catch (error) {
        this.log.error({ err: error }, 'An action after commit failed; the next sweep makes up for it.');
      }
    }
    return result;
  }
}
