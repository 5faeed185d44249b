import { Injectable } from '@nestjs/common';
import { AppError, type Connection } from '@rahatback/contracts';
import { IsNull } from 'typeorm';
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

/** What other modules ask of databases. */
@Injectable()
export class DatabaseDirectory {
  /** @throws AppError NOT_FOUND, also for one that was deleted or belongs to another workspace */
  async get(tx: Tx, workspaceId: string, databaseId: string): Promise<DatabaseRow> {
    const row = await tx.findOneBy(DatabaseRow, { id: databaseId, workspaceId, deletedAt: IsNull() });
    if (!row) throw new AppError('NOT_FOUND', 'There is no such database in this workspace. Look at the list of databases.');
    return row;
  }
}
