import type { DatabaseAccess } from '../database-engine.js';
import { rowsOf, withClient } from './pg-client.js';

/** Each publication with its tables, as one text. */
async function publicationsIn(access: DatabaseAccess, database: string): Promise<ReadonlyMap<string, string>> {
  return withClient(access, { database, statementFailure: 'SWAP_FAILED' }, async (client) => {
    const text = `SELECT p.pubname, (SELECT pg_catalog.string_agg(t.schemaname || '.' || t.tablename, ', ' ORDER BY t.schemaname, t.tablename)
      FROM pg_catalog.pg_publication_tables t WHERE t.pubname = p.pubname) FROM pg_catalog.pg_publication p`;
    return new Map((await rowsOf(client, text)).map(([name, tables]) => [name ?? '', tables ?? '']));
  });
}

/**
 * Publications that differ between the two databases, in words. A difference is worth a warning and no more: nothing reads them, since a live
 * database with replication slots is refused, and a backup from before a publication was altered is a good backup.
 */
export async function differingPublications(access: DatabaseAccess, live: string, restored: string): Promise<readonly string[]> {
  try {
    const [inLive, inRestored] = [await publicationsIn(access, live), await publicationsIn(access, restored)];
    const names = [...new Set([...inLive.keys(), ...inRestored.keys()])].sort();
    return names
      .filter((name) => inLive.get(name) !== inRestored.get(name))
      .map((name) => {
        const words = (tables: string | undefined): string =>
          tables === undefined ? 'does not exist' : `has tables ${tables || 'none'}`;
        return `Publication ${name} ${words(inLive.get(name))} in ${live}, but ${words(inRestored.get(name))} in the restored database.`;
      });
  } catch (error) {
    return [`Publications of ${live} and ${restored} could not be compared: ${(error as Error).message}`];
  }
}
