import { recordProofFact, seededRandom, seedFromEnv } from '@rahatback/testing';
import { createHash } from 'node:crypto';
import { dumpFailures, END_MARK } from './dump-failures.suite.js';
import { FailingDumps, type FailureOutcome } from './false-success.suite.js';

const FAILURES = 500;
const COMPRESSIONS = ['zstd', 'gzip', 'none'] as const;

/** It takes some minutes of two idle cores; a busy machine may take much longer. */
const LIMIT_MS = 3_600_000;

/** `script/prove false-success` */
describe('a dump tool that fails', () => {
  let dumps: FailingDumps;
  const seed = seedFromEnv('false-success');
  beforeAll(async () => {
    dumps = await FailingDumps.start();
  }, LIMIT_MS);
  afterAll(() => dumps.stop(), LIMIT_MS);

  it(
    'is never reported as a success',
    async () => {
      const failures = dumpFailures(dumps.dump, seededRandom(seed), FAILURES);
      const outcomes = await dumps.runAll(failures);
      const count = (verdict: FailureOutcome['verdict']): number =>
        outcomes.filter((outcome) => outcome.verdict === verdict).length;
      const codes: Record<string, number> = {};
      for (const { verdict, detail } of outcomes) if (verdict === 'failed') codes[detail] = (codes[detail] ?? 0) + 1;
      const figures = {
        failures: outcomes.length,
        reportedAsSuccess: count('reported as success'),
        wrongCode: count('wrong code'),
        leftSomething: count('left something'),
        codes,
        compressions: Object.fromEntries(
          COMPRESSIONS.map((name) => [name, failures.filter(({ compression }) => compression === name).length]),
        ),
        seed,
      };
      recordProofFact('dump failures', figures);
      process.stdout.write(`false-success: ${figures.failures} failures, ${figures.reportedAsSuccess} reported as success\n`);
      const wrong = outcomes.filter(({ verdict }) => verdict !== 'failed');
      expect(wrong.map(({ failure, verdict, detail }) => [failure.name, verdict, detail])).toEqual([]);
      expect(outcomes).toHaveLength(FAILURES);
    },
    LIMIT_MS,
  );

  it(
    'is told from one that wrote everything: such a dump is taken, with every compression',
    async () => {
      const { file, bytes } = dumps.dump;
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      for (const compression of COMPRESSIONS) {
        for (const behaviour of [{}, { stderr: 'pg_dump: warning: circular\n' }, { stderrFloodBytes: 8_000_000 }]) {
          expect((await dumps.backedUp({ source: { file }, ...behaviour }, { compression })).sha256).toBe(sha256);
        }
      }
      recordProofFact('whole dumps taken', { whole: 9, taken: 9 });
    },
    LIMIT_MS,
  );

  it(
    'cannot be told from a whole one only where nothing but blanks and comments is lost',
    async () => {
      const { file, bytes, plainFile, plainBytes } = dumps.dump;
      const lifted = bytes.indexOf('\n', bytes.lastIndexOf('\\unrestrict'));
      const marked = plainBytes.lastIndexOf(END_MARK) + END_MARK.length;
      const harmless = [
        ...range(lifted, bytes.length).map((at) => ({ path: file, at, lost: bytes.toString('utf8', at) })),
        ...range(marked, plainBytes.length).map((at) => ({ path: plainFile, at, lost: plainBytes.toString('utf8', at) })),
        // A lone dash is refused: it is among the failures.
      ].filter(({ lost }) => !lost.startsWith('-\n'));
      const lostTexts = new Set<string>();
      for (const { path, at, lost } of harmless) {
        // Lines that are blank or begin a comment: no statement, no row, no psql command.
        expect(lost.split('\n').filter((line) => line !== '' && line !== '--')).toEqual([]);
        lostTexts.add(lost);
        const { backupId } = await dumps.backedUp({ source: { file: path }, emitBytes: at });
        const { tables } = await dumps.harness.restore(backupId, `cut_${path === file ? 'whole' : 'plain'}_${at}`);
        expect(tables.length).toBeGreaterThan(2);
        expect(tables.every(({ equal }) => equal)).toBe(true);
        expect(await dumps.harness.query(`cut_${path === file ? 'whole' : 'plain'}_${at}`, 'SELECT count(*) FROM t')).toEqual([
          ['6000'],
        ]);
      }
      recordProofFact('cuts that lose nothing', { cuts: harmless.length, restoredEqual: harmless.length, lost: [...lostTexts] });
    },
    LIMIT_MS,
  );
});

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);
