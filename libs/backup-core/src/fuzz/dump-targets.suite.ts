import { AppError, type RestoreSelection } from '@rahatback/contracts';
import type { FuzzTarget, SeededRandom } from '@rahatback/testing';
import fc from 'fast-check';
import { DumpFormError, DumpScanner } from '../dump/dump-scanner.js';
import { SelectionPlanner } from '../dump/selection-plan.js';
import { SqlLexer } from '../dump/sql-lexer.js';
import { inspectDump, parallelFeed, restoreFeed } from '../engine/postgres/pg-dump-stream.js';
import type { ParallelFeed, RestoreFeed } from '../engine/database-engine.js';
import { SQL_TOKENS, TEST_DUMPS } from './dumps.suite.js';

const codeOf = (error: unknown): string | null => {
  if (error instanceof DumpFormError) return 'DUMP_FORM';
  return error instanceof AppError ? error.code : null;
};

const corpus = TEST_DUMPS.map((dump) => Buffer.from(dump));
const PSQL = { major: 15, version: '15.20', folder: '', warning: null };
const SELECTION: readonly RestoreSelection[] = [{ schema: 'public', table: 'item' }];

/** Statements put together of words that matter to a lexer, between a head and an end that are right. */
const sentences = fc.array(fc.constantFrom(...SQL_TOKENS, 'SELECT 1', 'a', '"b"', "'c'", '1'), { minLength: 1, maxLength: 25 });
const DUMP_END = '--\n-- PostgreSQL database dump complete\n--\n\n';
const built = fc
  .sample(sentences, { seed: 1, numRuns: 3_000 })
  .map((words) => Buffer.from(`SET client_encoding = 'UTF8';\n${words.join('')}\n;\n${DUMP_END}`));
const build = (random: SeededRandom): Buffer => random.pick(built);

const outcome = (work: () => string): string => {
  try {
    return work();
  } catch (error) {
    const code = codeOf(error);
    if (code === null) throw error;
    return `refused: ${code}`;
  }
};

/** Reads the input whole and cut into pieces: both must come to the same, or what is checked is not what is restored. */
const eitherWay = (input: Buffer, read: (pieces: readonly Buffer[]) => string): string => {
  const step = 1 + (input.length % 61);
  const cuts = Array.from({ length: Math.min(400, Math.ceil(input.length / step)) }, (_, at) => at * step);
  const pieces = cuts.map((from, at) => input.subarray(from, cuts[at + 1] ?? input.length));
  const [whole, cut] = [outcome(() => read([input])), outcome(() => read(pieces))];
  if (whole !== cut)
    throw new Error(`another outcome in pieces of ${step} bytes:\n${whole.slice(0, 900)}\n---\n${cut.slice(0, 900)}`);
  if (whole.startsWith('refused: ')) throw new DumpFormError(whole, 0);
  return whole;
};

const fed = (feed: RestoreFeed, pieces: readonly Buffer[]): string => {
  const out = pieces.flatMap((piece) => [...feed.push(piece)].map((bytes) => Buffer.from(bytes)));
  const { rest, digests, facts } = feed.finish();
  return `${Buffer.concat([...out, ...rest]).toString('latin1')}${JSON.stringify([digests, facts])}`;
};

const routed = (feed: ParallelFeed, pieces: readonly Buffer[]): string => {
  const parts = pieces.flatMap((piece) => [...feed.push(piece)]);
  const { rest, after, digests, facts } = feed.finish();
  const bytes = [...parts, ...rest].flatMap((part) => ('bytes' in part ? [part.to, part.bytes.toString('latin1')] : [part.to]));
  // Rows may be handed over in more or fewer parts; their bytes are the same.
  return JSON.stringify([joined(bytes), [...after.byTable].length, after.last.length, digests, facts]);
};
const joined = (words: readonly string[]): string => words.join('').replaceAll('rows', '');

const planned = (pieces: readonly Buffer[]): string => {
  const planner = new SelectionPlanner(SELECTION);
  const scanner = new DumpScanner([planner]);
  for (const piece of pieces) scanner.push(piece);
  scanner.end();
  const plan = planner.plan();
  const feed = restoreFeed(null, plan);
  return fed(feed, pieces);
};

const lexed = (input: Buffer): number => {
  const lexer = new SqlLexer();
  let ends = 0;
  for (let from = 0; from < input.length;) {
    const newline = input.indexOf(0x0a, from) + 1;
    const line = input.subarray(from, newline === 0 ? input.length : newline);
    const { statementEnds, commentAt, metaAt, variablesAt } = lexer.lex(line);
    const places = [...statementEnds, ...variablesAt, commentAt, metaAt];
    if (places.some((at) => at < -1 || at > line.length)) throw new Error(`a place outside of its line: ${places.join()}`);
    ends += statementEnds.length;
    from += line.length;
  }
  return ends;
};

export const dumpTargets = (): FuzzTarget[] => {
  const target = (name: string, read: (input: Buffer) => unknown): FuzzTarget => {
    return { name, corpus, tokens: SQL_TOKENS, build, codeOf, read };
  };
  return [
    target('dump inspector', (input) =>
      eitherWay(input, (pieces) => {
        const inspector = inspectDump();
        for (const piece of pieces) inspector.push(piece);
        return JSON.stringify(inspector.finish());
      }),
    ),
    target('restore filter', (input) => eitherWay(input, (pieces) => fed(restoreFeed(null), pieces))),
    target('selection filter', (input) => eitherWay(input, planned)),
    target('parallel router', (input) => eitherWay(input, (pieces) => routed(parallelFeed(PSQL), pieces))),
    target('SQL lexer', lexed),
  ];
};
