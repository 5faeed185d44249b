import type { TableComparison } from '@rahatback/contracts';
import type { TableDigest } from '../dump/digest-collector.js';
import type { SelectionPlan } from '../dump/selection-plan.js';
import type { DatabaseAccess, DatabaseEngine } from '../engine/database-engine.js';
import type { Progress } from '../progress.js';
import { compareTables } from './compare-tables.js';
import type { OpenBackup } from './open-backup.js';
import { dumpBytes } from './read-dump.js';

interface Restored {
  readonly engine: DatabaseEngine;
  readonly backup: OpenBackup;
  /** To the restored database. */
  readonly access: DatabaseAccess;
  /** What a selection let through; null for everything. */
  readonly plan: SelectionPlan | null;
  readonly signal: AbortSignal;
}

const nameOf = ({ schema, table }: Pick<TableDigest, 'schema' | 'table'>): string => JSON.stringify([schema, table]);

/**
 * Digests what the database holds now and compares it with the dump. Where the texts of a table differ, its rows may still be the same in another
 * order: then the dump is read once more, and both are digested row by row. @throws those of reading the dump and of the database
 */
export async function compareWithDump(
  restored: Restored,
  dumped: readonly TableDigest[],
  progress: Progress,
): Promise<readonly TableComparison[]> {
  const { engine, backup, access, signal } = restored;
  const tables = compareTables(dumped, await engine.digestDatabase(access, dumped, backup.facts, signal));
  const mayBeOrder = tables.filter(({ equal, rows, restoredRows }, position) => {
    return !equal && rows === restoredRows && dumped[position]?.form === 'text';
  });
  if (mayBeOrder.length === 0) return tables;
  progress.begin('digest rows', `${mayBeOrder.length} tables`);
  const names = new Set(mayBeOrder.map(nameOf));
  const byRow = (await dumpedRows(restored)).filter((table) => names.has(nameOf(table)));
  const again = compareTables(byRow, await engine.digestDatabase(access, byRow, backup.facts, signal));
  const found = new Map(again.map((table) => [nameOf(table), table]));
  return tables.map((table) => found.get(nameOf(table)) ?? table);
}

/** The digests of the dump, row by row. */
async function dumpedRows({ engine, backup, plan, signal }: Restored): Promise<readonly TableDigest[]> {
  const feed = engine.restoreFeed(null, plan, 'rows');
  for await (const bytes of dumpBytes(backup, { lends: true })) {
    signal.throwIfAborted();
    feed.push(bytes);
  }
  return feed.finish().digests;
}
