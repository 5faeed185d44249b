import { AppError, type TableComparison } from '@rahatback/contracts';
import type { TableDigest } from '../dump/digest-collector.js';

const NAMED_TABLES = 10;

/** Table by table; the lists have the same order. */
export const compareTables = (dumped: readonly TableDigest[], restored: readonly TableDigest[]): TableComparison[] =>
  dumped.map(({ schema, table, rows, digest }, position) => {
    const found = restored[position];
    const same = found?.schema === schema && found.table === table;
    return {
      schema,
      table,
      rows,
      restoredRows: same ? found.rows : 0,
      equal: same && found.rows === rows && found.digest === digest,
    };
  });

/** @throws AppError RESTORE_DIGEST_MISMATCH naming what differs */
export function assertEqual(tables: readonly TableComparison[], sequences: readonly string[]): void {
  const differing = tables.filter(({ equal }) => !equal);
  if (differing.length === 0 && sequences.length === 0) return;
  const names = differing.map(
    ({ schema, table, rows, restoredRows }) => `${schema}.${table} (${rows} rows dumped, ${restoredRows} restored)`,
  );
  const all = [...names, ...sequences.map((name) => `sequence ${name}`)];
  const shown = `${all.slice(0, NAMED_TABLES).join(', ')}${all.length > NAMED_TABLES ? ` and ${all.length - NAMED_TABLES} more` : ''}`;
  throw new AppError(
    'RESTORE_DIGEST_MISMATCH',
    `The restored database differs from the backup in ${shown}. It was dropped; look for triggers or rules that change rows, and report this.`,
    { tables, sequences },
  );
}
