import { AppError } from '@rahatback/contracts';
import type { DumpFacts } from '../dump/dump-facts.js';
import type { TableDigest } from '../dump/digest-collector.js';
import type { RestoreFeed } from '../engine/database-engine.js';
import { listed, stopwatch } from './check-list.js';
import { metadataDifferences, schemaDifferences, type ParsedFacts } from './compare-facts.js';
import { evidenceOf } from './damage.js';
import type { TrialRestore } from './trial-restore.js';
import type { VerificationContext } from './verification-context.js';

interface Parsed {
  readonly facts: ParsedFacts;
  readonly digests: readonly TableDigest[];
}

/**
 * Takes the dump as it is read, judges its form as a restore would, and passes it on to the trial restore where there is one. After the first thing
 * that is wrong it takes no more, and the reading goes on without it.
 */
export class DumpContents {
  private failure: AppError | null = null;
  private parsed: Parsed | null = null;
  private readonly took = stopwatch();

  constructor(
    private readonly feed: RestoreFeed,
    private readonly trial: TrialRestore | null,
  ) {}

  async begin(): Promise<void> {
    await this.trial?.write([this.feed.prelude]);
  }

  async push(bytes: Buffer): Promise<void> {
    if (this.failure) return;
    const pieces = this.judged(() => this.feed.push(bytes));
    if (pieces) await this.trial?.write(pieces);
    else await this.trial?.abandon(REFUSED);
  }

  /** The dump came to its end, and every chunk of it was right. */
  async finish(): Promise<void> {
    if (this.failure) return;
    const end = this.judged(() => this.feed.finish());
    if (!end) {
      await this.trial?.abandon(REFUSED);
      return;
    }
    this.parsed = { facts: end.facts, digests: end.digests };
    await this.trial?.write(end.rest);
  }

  /** Digests of the tables as they stand in the dump; null when it was not read to its end. */
  get digests(): readonly TableDigest[] | null {
    return this.parsed?.digests ?? null;
  }

  /** Judges `contents`, `schema` and `metadata`. */
  judge({ checks }: VerificationContext, recorded: DumpFacts): void {
    const { failure, parsed } = this;
    if (failure) checks.failed('contents', failure.message, evidenceOf(failure), this.took());
    if (!parsed) {
      checks.skipRest(['contents', 'schema', 'metadata'], 'It cannot be judged: the dump could not be read to its end.');
      return;
    }
    const { tables, objects } = parsed.facts;
    const counts = { objects: objects.length, tables: tables.length };
    checks.passed('contents', 'The dump reads as SQL to its end mark.', counts, this.took());
    this.compare(checks, recorded, parsed.facts);
  }

  private compare(checks: VerificationContext['checks'], recorded: DumpFacts, found: ParsedFacts): void {
    const took = stopwatch();
    const schema = listed(schemaDifferences(recorded, found));
    const counts = { objects: found.objects.length, tables: found.tables.length };
    if (schema.length > 0) {
      const message = `The dump's schema is not the one that was recorded: ${schema.join('; ')}. Use another backup.`;
      checks.failed('schema', message, { ...counts, differences: schema }, took());
    } else
      checks.passed(
        'schema',
        `All ${counts.objects} recorded objects and ${counts.tables} tables are in the dump.`,
        counts,
        took(),
      );
    const metadata = listed(metadataDifferences(recorded, found));
    const evidence = {
      serverVersion: found.serverVersion,
      toolVersion: found.toolVersion,
      encoding: found.encoding,
      extensions: listed(found.extensions),
      roles: listed(found.roles),
      rows: found.tables.reduce((sum, { rows }) => sum + rows, 0),
      sequences: found.sequences.length,
      largeObjects: found.largeObjects.count,
    };
    if (metadata.length > 0) {
      const message = `The dump is not what was recorded of it: ${metadata.join('; ')}. Use another backup.`;
      checks.failed('metadata', message, { ...evidence, differences: metadata }, took());
    } else
      checks.passed(
        'metadata',
        'Versions, encoding, extensions, roles and row counts are those that were recorded.',
        evidence,
        took(),
      );
  }

  /** The answer of the feed, or null once it has refused the dump. @throws what is not about the dump */
  private judged<T>(work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.failure = error;
      return null;
    }
  }
}

const REFUSED = 'The dump holds what a restore does not run, so it was not restored.';
