import { AppError, type TableComparison } from '@rahatback/contracts';
import type { TableDigest } from '../dump/digest-collector.js';
import type { DatabaseAccess } from '../engine/database-engine.js';
import { compareTables } from '../restore/compare-tables.js';
import type { OpenBackup } from '../restore/open-backup.js';
import { listed, stopwatch } from './check-list.js';
import { evidenceOf } from './damage.js';
import type { VerificationContext } from './verification-context.js';

interface Restored {
  /** Of the dump stream. */
  readonly digests: readonly TableDigest[];
  readonly server: { readonly access: DatabaseAccess; hasEnded(): boolean };
}

const nameOf = ({ schema, table }: TableComparison): string => `${schema}.${table}`;

/** Judges `row counts`, `digests` and `sequences` of the restored copy. */
export async function compareRestored(
  context: VerificationContext,
  backup: OpenBackup,
  restored: Restored,
): Promise<readonly TableComparison[]> {
  const { request, checks } = context;
  const took = stopwatch();
  try {
    const { access } = restored.server;
    const found = await request.engine.digestDatabase(access, restored.digests, backup.facts, request.signal);
    const tables = compareTables(restored.digests, found);
    judgeTables(context, tables, took());
    await judgeSequences(context, backup, access);
    return tables;
  } catch (error) {
    request.signal.throwIfAborted();
    if (!(error instanceof AppError)) throw error;
    // A server that is gone has said nothing about the copy; one that answers with an error has.
    if (restored.server.hasEnded() || error.code !== 'RESTORE_FAILED')
      checks.skipped('digests', `The restored copy could not be read. ${error.message}`, evidenceOf(error), took());
    else checks.failed('digests', `The restored copy lacks something of the backup. ${error.message}`, evidenceOf(error), took());
    checks.skipRest(['row counts', 'sequences'], 'It cannot be judged: the restored copy could not be read.');
    return [];
  }
}

function judgeTables({ checks }: VerificationContext, tables: readonly TableComparison[], durationMs: number): void {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const counts = { tables: tables.length, rows };
  const fewer = tables.filter((table) => table.rows !== table.restoredRows);
  if (fewer.length > 0) {
    const names = listed(fewer.map((table) => `${nameOf(table)} (${table.rows} rows dumped, ${table.restoredRows} restored)`));
    checks.failed('row counts', `Row counts differ in ${names.join(', ')}.`, { ...counts, differing: names }, durationMs);
  } else checks.passed('row counts', `All ${tables.length} tables have the rows of the dump: ${rows}.`, counts, durationMs);
  const unequal = tables.filter(({ equal }) => !equal);
  if (unequal.length > 0) {
    const names = listed(unequal.map(nameOf));
    checks.failed(
      'digests',
      `The rows of ${names.join(', ')} are not those of the dump.`,
      { ...counts, differing: names },
      durationMs,
    );
  } else checks.passed('digests', `All ${tables.length} tables are equal to the dump, row by row.`, counts, durationMs);
}

async function judgeSequences(
  { request, checks }: VerificationContext,
  { facts }: OpenBackup,
  access: DatabaseAccess,
): Promise<void> {
  const took = stopwatch();
  const differing = listed(await request.engine.differingSequences(access, facts));
  const counts = { sequences: facts.sequences.length };
  if (differing.length > 0) {
    const message = `Sequences do not stand where the dump set them: ${differing.join(', ')}.`;
    checks.failed('sequences', message, { ...counts, differing }, took());
  } else checks.passed('sequences', `All ${counts.sequences} sequences stand where the dump set them.`, counts, took());
}
