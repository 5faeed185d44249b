import { AppError } from '@rahatback/contracts';
import { randomBytes } from 'node:crypto';
import { DigestCollector } from '../../dump/digest-collector.js';
import { DumpFormError, DumpScanner } from '../../dump/dump-scanner.js';
import { FactsCollector } from '../../dump/facts-collector.js';
import { RestoreFilter } from '../../dump/restore-filter.js';
import type { ClientTools, DumpInspector, RestoreFeed } from '../database-engine.js';
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

/** What psql gets: SQL and table data only, behind a `\restrict` whose key nobody else knows. */
export function restoreFeed(tools: ClientTools | null): RestoreFeed {
  const filter = new RestoreFilter();
  const digests = new DigestCollector();
  const facts = new FactsCollector();
  const scanner = new DumpScanner([filter, digests, facts]);
  const safe = <T>(work: () => T): T => judged('DATA_CORRUPT', 'Do not restore this backup; use another.', work);
  return {
    prelude: Buffer.from(tools && knowsRestrict(tools) ? `\\restrict ${randomBytes(24).toString('hex')}\n` : ''),
    push: (bytes) =>
      safe(() => {
        scanner.push(bytes);
        return filter.take();
      }),
    finish: () =>
      safe(() => {
        scanner.end();
        const missing = facts.missing();
        if (missing !== null) throw new DumpFormError(`The dump is cut short: ${missing}.`, scanner.position);
        return { rest: filter.take(), digests: digests.digests(), facts: facts.facts() };
      }),
  };
}
