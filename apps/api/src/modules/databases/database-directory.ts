import { Injectable } from '@nestjs/common';
import { AppError, type Connection, type DatabaseView } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { DatabaseRow } from './database.entity.js';

/** How the agent reaches the database. The password goes beside it, sealed: `row.password`. */
export const connectionOf = (row: DatabaseRow): Connection => ({
  type: row.type,
  host: row.host,
  port: row.port,
  username: row.username,
  database: row.databaseName,
  tlsMode: row.tlsMode,
  tlsCa: row.tlsCa,
  passwordRef: row.password?.ref ?? null,
});

export const toDatabaseView = (row: DatabaseRow): DatabaseView => ({
  id: row.id,
  name: row.name,
  type: row.type,
  host: row.host,
  port: row.port,
  username: row.username,
  database: row.databaseName,
  tlsMode: row.tlsMode,
  hasPassword: row.password !== null,
  agentId: row.agentId,
  serverVersion: row.serverVersion,
  createdAt: row.createdAt.toISOString(),
});

/** What other modules ask of databases. */
@Injectable()
export class DatabaseDirectory {
  /** @throws AppError NOT_FOUND, also for one that was deleted or belongs to another workspace */
  async get(tx: Tx, workspaceId: string, databaseId: string): Promise<DatabaseRow> {
    const row = await this.query(tx, workspaceId).andWhere('db.id = :databaseId', { databaseId }).getOne();
    if (!row) throw new AppError('NOT_FOUND', 'There is no such database in this workspace. Look at the list of databases.');
    return row;
  }

  /** The same, and nobody deletes or changes it until the caller's transaction ends. */
  async lock(tx: Tx, workspaceId: string, databaseId: string): Promise<DatabaseRow> {
    await tx.query('SELECT 1 FROM databases WHERE id = $1 FOR UPDATE', [databaseId]);
    return this.get(tx, workspaceId, databaseId);
  }

  /**
   * The same with its jobs, which come first: whoever starts a run holds its job and then points to the database. A run that begins at this moment is
   * therefore seen afterwards, or comes later and finds what the caller has changed.
   */
  async lockWithJobs(tx: Tx, workspaceId: string, databaseId: string): Promise<DatabaseRow> {
    await tx.query('SELECT 1 FROM jobs WHERE database_id = $1 ORDER BY id FOR UPDATE', [databaseId]);
    return this.lock(tx, workspaceId, databaseId);
  }

  /** The rows of a workspace that were not deleted; alias `db`. */
  query(tx: Tx, workspaceId: string) {
    return tx
      .createQueryBuilder(DatabaseRow, 'db')
      .where('db.workspaceId = :workspaceId AND db.deletedAt IS NULL', { workspaceId });
  }
}
