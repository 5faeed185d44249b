import { AppError } from '@rahatback/contracts';
import { quoteIdentifier } from '../../dump/copy-target.js';
import type { DatabaseAccess, DiscardRequest } from '../database-engine.js';
import { MAINTENANCE_DATABASE, withClient } from './pg-client.js';
import { exclusively, restoreSubject } from './pg-swap-lock.js';
import { readDatabases } from './pg-swap-marks.js';
import { assertNothingBound } from './pg-swap-sessions.js';

/**
 * Drops the database that a swap retired or an undo put aside, with its sessions. One that bears no such mark of this restore is refused, and so
 * is the live one, whatever it bears. Nothing happens when it is gone.
 * @throws AppError SWAP_REFUSED, SWAP_FAILED and those of connecting
 */
export function discard(access: DatabaseAccess, { restoreId, database }: DiscardRequest): Promise<void> {
  const options = { database: MAINTENANCE_DATABASE, statementTimeoutMs: 5 * 60_000, statementFailure: 'SWAP_FAILED' } as const;
  return withClient(access, options, (client) =>
    exclusively(client, [restoreSubject(restoreId)], async () => {
      const found = (await readDatabases(client, [database])).get(database);
      if (!found) return;
      const { mark } = found;
      const isOurs = mark?.restoreId === restoreId && (mark.role === 'retired' || mark.role === 'aside');
      if (!isOurs || database === access.connection.database)
        throw new AppError(
          'SWAP_REFUSED',
          `${database} is not what the swap of restore ${restoreId} put aside, as its comment tells: it is not dropped.`,
        );
      await assertNothingBound(client, found);
      await client.query(`ALTER DATABASE ${quoteIdentifier(database)} IS_TEMPLATE false`);
      await client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(database)} WITH (FORCE)`);
    }),
  );
}
