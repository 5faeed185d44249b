import { quoteIdentifier } from '../../dump/copy-target.js';
import type { DatabaseAccess } from '../database-engine.js';
import { rowsOf, withClient, MAINTENANCE_DATABASE } from './pg-client.js';

const OF_DATABASE = `SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = $1`;

/**
 * Drops the subscriptions of a database that is to be dropped: with them it cannot be. Each is taken off its slot first, because the slot at the publisher
 * is the source's own and must stay. Nothing happens when the database is not there. May run twice.
 */
export async function dropSubscriptions(access: DatabaseAccess, database: string): Promise<void> {
  const names = await withClient(access, { database: MAINTENANCE_DATABASE }, async (client) =>
    (await rowsOf(client, OF_DATABASE, [database])).map(([name]) => quoteIdentifier(name ?? '')),
  );
  if (names.length === 0) return;
  await withClient(access, { database }, async (client) => {
    // Event triggers of the source would have a say; who may not set this has none of them against him.
    await client.query('SET session_replication_role = replica').catch(() => undefined);
    for (const name of names) {
      await client.query(`ALTER SUBSCRIPTION ${name} DISABLE`);
      await client.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
      await client.query(`DROP SUBSCRIPTION ${name}`);
    }
  });
}
