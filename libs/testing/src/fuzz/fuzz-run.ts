import { performance } from 'node:perf_hooks';
import { seededRandom, type SeededRandom } from '../random.js';
import { mutate } from './mutate.js';

/** What a `read` answers for an input that its parser refuses without throwing. */
export const REFUSED = Symbol('refused');

/** A parser of what others wrote, as the fuzzer sees it. */
export interface FuzzTarget {
  readonly name: string;
  /** Small valid inputs. */
  readonly corpus: readonly Buffer[];
  readonly tokens?: readonly string[];
  /** An input that is built and not mutated; every third execution takes one. */
  readonly build?: (random: SeededRandom) => Buffer;
  /** Parses. Throws the parser's own error or answers REFUSED for what it refuses; else answers what it read. */
  readonly read: (input: Buffer) => unknown;
  /** The code of the parser's own error; null for any other exception, which is a crash. */
  readonly codeOf: (error: unknown) => string | null;
  /** The format is authenticated: `read` answers a text, and what is accepted must read as one of the corpus does. */
  readonly authentic?: boolean;
}

export interface FuzzFigures {
  readonly parser: string;
  readonly seed: number;
  executions: number;
  rejected: number;
  /** Of an authenticated format: read as the valid input that it was made of. */
  acceptedEqual: number;
  /** Of a format without a signature or tag of its own. */
  accepted: number;
  /** Of an authenticated format: read as something else. */
  forged: number;
  crashes: number;
  hangs: number;
  slowestMs: number;
  /** Most that the process grew by, measured every 250 executions. */
  grownMiB: number;
  readonly codes: Record<string, number>;
  /** The first failures, with the input in base64. */
  readonly failures: string[];
}

export const HANG_MS = 1_000;
const MEASURED_EVERY = 250;
const KEPT_FAILURES = 5;
const SHOWN_INPUT_BYTES = 3_000;
const MIB = 1024 * 1024;

/** One parser's run: the same seed gives the same inputs. */
class FuzzRun {
  readonly figures: FuzzFigures;
  private readonly random: SeededRandom;
  private readonly tokens: readonly Buffer[];
  private readonly known = new Set<unknown>();
  private readonly rssBefore = process.memoryUsage.rss();

  constructor(
    private readonly target: FuzzTarget,
    seed: number,
  ) {
    this.random = seededRandom(seed);
    this.tokens = (target.tokens ?? []).map((token) => Buffer.from(token));
    this.figures = {
      ...{ parser: target.name, seed, executions: 0, rejected: 0, acceptedEqual: 0, accepted: 0, forged: 0 },
      ...{ crashes: 0, hangs: 0, slowestMs: 0, grownMiB: 0, codes: {}, failures: [] },
    };
  }

  /** Every input of the corpus must be accepted, or the rest would prove nothing. */
  async readCorpus(): Promise<void> {
    for (const input of this.target.corpus) {
      const read: unknown = await this.target.read(input);
      if (read === REFUSED) throw new Error(`${this.target.name} refuses its own corpus`);
      this.known.add(read);
    }
  }

  async execute(): Promise<void> {
    const { build, corpus } = this.target;
    const built = build !== undefined && this.random.int(3) === 0;
    const input = built ? build(this.random) : mutate(this.random, { corpus, tokens: this.tokens });
    await this.judge(input);
    const { figures } = this;
    figures.executions += 1;
    if (figures.executions % MEASURED_EVERY > 0) return;
    figures.grownMiB = Math.max(figures.grownMiB, Math.round((process.memoryUsage.rss() - this.rssBefore) / MIB));
  }

  private async judge(input: Buffer): Promise<void> {
    const { figures } = this;
    const tookMs = await this.attempt(input);
    if (tookMs >= HANG_MS && (await this.isSlowAgain(input))) this.fail('hangs', `took ${Math.round(tookMs)} ms`, input);
    else figures.slowestMs = Math.max(figures.slowestMs, Math.round(Math.min(tookMs, HANG_MS) * 10) / 10);
  }

  /** Another program may have had the core: only what is slow each time is slow. */
  private async isSlowAgain(input: Buffer): Promise<boolean> {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const startedMs = performance.now();
      await Promise.resolve()
        .then(() => this.target.read(input))
        .catch(() => undefined);
      if (performance.now() - startedMs < HANG_MS) return false;
    }
    return true;
  }

  private async attempt(input: Buffer): Promise<number> {
    const { figures, target } = this;
    const startedMs = performance.now();
    try {
      const answer = target.read(input);
      const read: unknown = answer instanceof Promise ? await answer : answer;
      const tookMs = performance.now() - startedMs;
      if (read === REFUSED) this.count('refused');
      else if (!target.authentic) figures.accepted += 1;
      else if (this.known.has(read)) figures.acceptedEqual += 1;
      else this.fail('forged', 'was accepted', input);
      return tookMs;
    } catch (error) {
      const tookMs = performance.now() - startedMs;
      const code = target.codeOf(error);
      if (code === null) this.fail('crashes', error instanceof Error ? (error.stack ?? error.message) : String(error), input);
      else this.count(code);
      return tookMs;
    }
  }

  private count(code: string): void {
    this.figures.rejected += 1;
    this.figures.codes[code] = (this.figures.codes[code] ?? 0) + 1;
  }

  private fail(kind: 'crashes' | 'hangs' | 'forged', what: string, input: Buffer): void {
    const { figures } = this;
    figures[kind] += 1;
    if (figures.failures.length >= KEPT_FAILURES) return;
    const shown = input.subarray(0, SHOWN_INPUT_BYTES).toString('base64');
    figures.failures.push(`${figures.parser}, input of ${input.length} bytes ${kind}: ${what}\n  base64 ${shown}`);
  }
}

/** Feeds a parser altered inputs and counts what it makes of them. @throws Error when it refuses an unaltered one */
export async function fuzzParser(target: FuzzTarget, executions: number, seed: number): Promise<FuzzFigures> {
  const run = new FuzzRun(target, seed);
  await run.readCorpus();
  for (let execution = 0; execution < executions; execution += 1) await run.execute();
  return run.figures;
}

/** One line for people. */
export const fuzzLine = (figures: FuzzFigures): string => {
  const { parser, executions, rejected, acceptedEqual, accepted, crashes, forged, hangs, slowestMs, grownMiB } = figures;
  const taken = acceptedEqual > 0 || accepted === 0 ? `${acceptedEqual} accepted as equal` : `${accepted} accepted`;
  return `${parser}: ${executions} executions, ${rejected} rejected, ${taken}, ${crashes} crashes, ${forged} forged, ${hangs} hangs, slowest ${slowestMs} ms, grew ${grownMiB} MiB`;
};
