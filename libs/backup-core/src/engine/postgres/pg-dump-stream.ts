import { AppError, type RestoreSelection } from '@rahatback/contracts';
import { randomBytes } from 'node:crypto';
import { qualifiedName } from '../../dump/copy-target.js';
import { DigestCollector, LARGE_OBJECTS, type DigestForm } from '../../dump/digest-collector.js';
import type { DumpFacts, TableFacts } from '../../dump/dump-facts.js';
import { DumpFormError, DumpScanner } from '../../dump/dump-scanner.js';
import { FactsCollector } from '../../dump/facts-collector.js';
import { ParallelRouter } from '../../dump/parallel-router.js';
import { RestoreFilter } from '../../dump/restore-filter.js';
import { SelectionFilter } from '../../dump/selection-filter.js';
import { assertSelection, SelectionPlanner, type SelectionPlan } from '../../dump/selection-plan.js';
import type { ClientTools, DumpInspector, ParallelFeed, RestoreFeed, SelectionReader } from '../database-engine.js';
import { knowsRestrict } from './pg-tools.js';

/** Runs `work`; what it says about the dump's form becomes an error of that code. */
function judged<T>(code: 'DUMP_INCOMPLETE' | 'DATA_CORRUPT', next: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DumpFormError)) throw error;
    throw new AppError(code, `${error.message} (at byte ${error.offset}) ${next}`, { offset: error.offset }, { cause: error });
  }
}

/** Facts and completeness of a plain dump while it is made. */
export function inspectDump(): DumpInspector {
  const facts = new FactsCollector();
  const scanner = new DumpScanner([facts]);
  const whole = <T>(work: () => T): T => judged('DUMP_INCOMPLETE', 'Run the backup again.', work);
  return {
    push: (bytes) => whole(() => scanner.push(bytes)),
    finish: () =>
      whole(() => {
        scanner.end();
        const missing = facts.missing();
        if (missing !== null) throw new DumpFormError(`The dump is cut short: ${missing}.`, scanner.position);
        return facts.facts();
      }),
  };
}

const preludeFor = (tools: ClientTools | null): Buffer =>
  Buffer.from(tools && knowsRestrict(tools) ? `\\restrict ${randomBytes(24).toString('hex')}\n` : '');

/**
 * What psql gets: SQL and table data only, behind a `\restrict` whose key nobody else knows.
 * @param plan leaves out what a selection does not need; null lets everything through
 * @param form of the digests
 */
export function restoreFeed(
  tools: ClientTools | null,
  plan: SelectionPlan | null = null,
  form: DigestForm = 'rows',
): RestoreFeed {
  const filter = new RestoreFilter();
  const selection = plan && new SelectionFilter(filter, plan);
  const wants = ({ schema, table }: Pick<TableFacts, 'schema' | 'table'>): boolean =>
    plan === null || plan.tables.has(qualifiedName(schema, table)) || (plan.largeObjects && table === LARGE_OBJECTS.table);
  const digests = new DigestCollector(wants, form);
  const facts = new FactsCollector();
  const scanner = new DumpScanner([filter, ...(selection ? [selection] : []), digests, facts]);
  const safe = <T>(work: () => T): T => judged('DATA_CORRUPT', 'Do not restore this backup; use another.', work);
  return {
    prelude: preludeFor(tools),
    push: (bytes) =>
      safe(() => {
        scanner.push(bytes);
        return (selection ?? filter).take();
      }),
    finish: () =>
      safe(() => {
        scanner.end();
        const missing = facts.missing();
        if (missing !== null) throw new DumpFormError(`The dump is cut short: ${missing}.`, scanner.position);
        const rest = selection ? selection.take(true) : filter.take();
        const all = facts.facts();
        const tables = all.tables.filter(wants);
        const sequences = selection ? all.sequences.filter(({ name }) => selection.keeps(name)) : all.sequences;
        const selected = selection?.summary() ?? null;
        return { rest, digests: digests.digests().filter(wants), facts: { ...all, tables, sequences }, selected };
      }),
  };
}

/** The same for several sessions at once. */
export function parallelFeed(tools: ClientTools): ParallelFeed {
  const filter = new RestoreFilter();
  const router = new ParallelRouter(filter);
  const digests = new DigestCollector();
  const facts = new FactsCollector();
  const scanner = new DumpScanner([filter, router, digests, facts]);
  const safe = <T>(work: () => T): T => judged('DATA_CORRUPT', 'Do not restore this backup; use another.', work);
  return {
    prelude: preludeFor(tools),
    preamble: () => router.preamble(),
    push: (bytes) =>
      safe(() => {
        scanner.push(bytes);
        return router.take();
      }),
    finish: () =>
      safe(() => {
        scanner.end();
        const missing = facts.missing();
        if (missing !== null) throw new DumpFormError(`The dump is cut short: ${missing}.`, scanner.position);
        return { rest: router.take(), after: router.after(), digests: digests.digests(), facts: facts.facts() };
      }),
  };
}

/** Works out what a selection needs, from the first part of a dump. @throws AppError SELECTION_INVALID */
export function planSelection(selection: readonly RestoreSelection[], facts: DumpFacts): SelectionReader {
  assertSelection(selection, facts);
  const planner = new SelectionPlanner(selection);
  const scanner = new DumpScanner([planner]);
  return {
    push: (bytes) =>
      judged('DATA_CORRUPT', 'Do not restore this backup; use another.', () => {
        scanner.push(bytes);
        return planner.isComplete;
      }),
    plan: () => planner.plan(),
  };
}
