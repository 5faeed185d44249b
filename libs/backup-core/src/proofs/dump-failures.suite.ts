import type { Compression, ErrorCode } from '@rahatback/contracts';
import { ENDING_SIGNALS, type SeededRandom, type ShimBehaviour, type ShimSource } from '@rahatback/testing';

/** A dump of a real database, and where its parts lie. */
export interface RecordedDump {
  readonly file: string;
  readonly bytes: Buffer;
  /** The same twice in one file. */
  readonly twiceFile: string;
  /** As tools before 15.14 write it: without `\restrict` and `\unrestrict`. */
  readonly plainFile: string;
  readonly plainBytes: Buffer;
}

/** One way for a dump tool to fail, and what may be said of it. */
export interface DumpFailure {
  readonly name: string;
  readonly behaviour: ShimBehaviour;
  readonly codes: readonly ErrorCode[];
  readonly compression: Compression;
  /** Set for a tool that does not end. */
  readonly stallMs?: number;
}

type Failure = Omit<DumpFailure, 'compression'>;

export const END_MARK = '-- PostgreSQL database dump complete';
const COMPRESSIONS: readonly Compression[] = ['zstd', 'gzip', 'none'];
const STALL_MS = 400;
const EXIT_CODES = [1, 2, 3, 64, 77, 125, 126, 127, 128, 129, 130, 134, 137, 139, 141, 143, 254, 255];

/** How much of the dump the tool has written by then. */
const amounts = ({ file, bytes }: RecordedDump): readonly (readonly [string, ShimBehaviour])[] => [
  ['nothing', {}],
  ['half', { source: { file }, emitBytes: Math.floor(bytes.length / 2) }],
  ['all', { source: { file } }],
];

const exits = (dump: RecordedDump, random: SeededRandom, count: number): Failure[] => {
  const others = Array.from({ length: 255 }, (_, index) => index + 1).filter((code) => !EXIT_CODES.includes(code));
  const codes = [...EXIT_CODES, ...random.shuffle(others)];
  return codes
    .flatMap((exitCode) =>
      amounts(dump).map(([amount, behaviour]) => ({
        name: `exit code ${exitCode} after ${amount}`,
        behaviour: { ...behaviour, stderr: 'pg_dump: error: something\n', end: { exitCode } },
        codes: ['DUMP_FAILED'] as const,
      })),
    )
    .slice(0, count);
};

const signals = (dump: RecordedDump): Failure[] =>
  ENDING_SIGNALS.flatMap((signal) =>
    amounts(dump).map(([amount, behaviour]) => ({
      name: `SIG${signal} after ${amount}`,
      behaviour: { ...behaviour, end: { signal } },
      codes: ['DUMP_KILLED'] as const,
    })),
  );

/** Offsets before each byte of the ends of tables, before and inside of the end mark, and inside of what comes after it. */
function edges({ bytes }: RecordedDump): number[] {
  const tables: number[] = [];
  for (let at = bytes.indexOf('\n\\.\n'); at >= 0; at = bytes.indexOf('\n\\.\n', at + 1))
    tables.push(at, at + 1, at + 2, at + 3, at + 4);
  const mark = bytes.lastIndexOf(END_MARK);
  const lifted = bytes.lastIndexOf('\\unrestrict');
  const line = bytes.indexOf('\n', lifted);
  const marked = [0, 1, 3, 18, END_MARK.length - 1, END_MARK.length, END_MARK.length + 1].map((offset) => mark + offset);
  return [...tables, mark - 1, ...marked, lifted, lifted + 1, lifted + 11, lifted + 12, lifted + 20, line - 1];
}

function cuts(dump: RecordedDump, random: SeededRandom): Failure[] {
  const { file, bytes, plainFile, plainBytes } = dump;
  const spread = Array.from({ length: 50 }, () => 1 + random.int(bytes.length - 200));
  const mark = plainBytes.lastIndexOf(END_MARK);
  const cut = (path: string, emitBytes: number): Failure => ({
    name: `cut at byte ${emitBytes}${path === plainFile ? ' without \\restrict' : ''}, exit code 0`,
    behaviour: { source: { file: path }, emitBytes },
    codes: ['DUMP_INCOMPLETE'],
  });
  const failed = [...spread].map((emitBytes) => ({
    name: `cut at byte ${emitBytes}, exit code 1`,
    behaviour: { source: { file }, emitBytes, end: { exitCode: 1 } },
    codes: ['DUMP_FAILED'] as const,
  }));
  return [
    ...[...spread, ...edges(dump)].map((at) => cut(file, at)),
    ...[0, 2, 20, END_MARK.length - 2, END_MARK.length - 1, END_MARK.length + 2].map((offset) => cut(plainFile, mark + offset)),
    ...failed,
  ];
}

const hangs = (dump: RecordedDump): Failure[] =>
  amounts(dump).flatMap(([amount, behaviour]) => {
    const ends: readonly (readonly [string, ShimBehaviour])[] = [
      ['hangs', { end: 'hang' }],
      ['hangs and ignores SIGTERM', { end: 'deaf' }],
      ['writes to stderr for ever', { end: 'storm' }],
      ['closes stdout and hangs', { closeStdout: true, end: 'hang' }],
      ['closes stdout, hangs and ignores SIGTERM', { closeStdout: true, end: 'deaf' }],
      ['closes stdout and writes to stderr for ever', { closeStdout: true, end: 'storm' }],
      ['leaves a child that holds its output', { leaves: 'holder' }],
    ];
    return ends.map(([name, end]) => ({
      name: `${name} after ${amount}`,
      behaviour: { ...behaviour, ...end },
      codes: ['DUMP_STALLED'] as const,
      stallMs: STALL_MS,
    }));
  });

const SAID = [
  'pg_dump: error: connection to server at "127.0.0.1", port 5432 failed: FATAL:  the database system is starting up\n',
  'pg_dump: error: query failed: ERROR:  permission denied for table t\n',
  'pg_dump: error: Dumping the contents of table "t" failed: PQgetResult() failed.\n',
  'pg_dump: error: aborting because of server version mismatch\n',
  'pg_dump: error: out of memory\n',
  'pg_dump: warning: there are circular foreign-key constraints on this table\n',
  'Killed\n',
  'Segmentation fault (core dumped)\n',
  'sh: pg_dump: not found\n',
  '\u0000\u0001\u0002\n',
];

const stderrs = ({ file, bytes }: RecordedDump): Failure[] => [
  ...SAID.map((stderr, index) => ({
    name: `only says error ${index} and exits with 0`,
    behaviour: { stderr },
    codes: ['DUMP_INCOMPLETE'] as const,
  })),
  ...[1, 8, 24].flatMap((mebibytes): Failure[] => {
    const stderrFloodBytes = mebibytes * 1024 * 1024;
    const half: ShimBehaviour = { source: { file }, emitBytes: Math.floor(bytes.length / 2) };
    const name = `${mebibytes} MiB on stderr`;
    return [
      { name: `${name}, exit code 1`, behaviour: { stderrFloodBytes, end: { exitCode: 1 } }, codes: ['DUMP_FAILED'] },
      { name: `${name}, nothing, exit code 0`, behaviour: { stderrFloodBytes }, codes: ['DUMP_INCOMPLETE'] },
      { name: `${name}, half, exit code 0`, behaviour: { stderrFloodBytes, ...half }, codes: ['DUMP_INCOMPLETE'] },
      {
        name: `${name}, all, SIGKILL`,
        behaviour: { stderrFloodBytes, source: { file }, end: { signal: 'KILL' } },
        codes: ['DUMP_KILLED'],
      },
    ];
  }),
];

const TRAILERS = [
  'garbage',
  'garbage\n',
  'SELECT 1;\n',
  'DROP TABLE t;\n',
  '\\connect postgres\n',
  '\\! true\n',
  '\\.\n',
  '\\restrict abcdefghijklmnop\n',
  '\\unrestrict abcdefghijklmnop\n',
  'COPY public.t (id) FROM stdin;\n',
  'COPY public.t (id) FROM stdin;\n1\n\\.\n',
  '/* begun',
  "'begun",
  '"begun',
  '$$begun',
  '(',
  'pg_dump: error: lost\n',
  '<html></html>\n',
  '1\t2\t3\n',
  ';\n',
  '%s%n\n',
];

/** The end mark alone would be a whole dump of nothing: what must not be believed is one inside of something else. */
const RUBBISH: readonly ShimSource[] = [
  'zeros',
  { text: '\n' },
  { text: '--\n' },
  { text: `SELECT '\n${END_MARK}\n` },
  { text: `/*\n${END_MARK}\n` },
  { text: `CREATE FUNCTION f() RETURNS int AS $x$\n${END_MARK}\n` },
  { text: `COPY public.t (note) FROM stdin;\n${END_MARK}\n` },
  { text: '<!doctype html><title>502 Bad Gateway</title>' },
  { text: 'PGDMP\u0001\u000e' },
];

const contents = ({ file, twiceFile }: RecordedDump): Failure[] => [
  ...TRAILERS.map((trailer) => ({
    name: `all and then ${JSON.stringify(trailer)}`,
    behaviour: { source: { file }, trailer },
    codes: ['DUMP_INCOMPLETE'] as const,
  })),
  ...RUBBISH.map((source, index) => ({
    name: `rubbish ${index}`,
    behaviour: source === 'zeros' ? { source, emitBytes: 3_000_000 } : { source },
    codes: ['DUMP_INCOMPLETE'] as const,
  })),
  { name: 'the dump twice', behaviour: { source: { file: twiceFile } }, codes: ['DUMP_INCOMPLETE'] },
];

const children = (dump: RecordedDump): Failure[] => {
  const half: ShimBehaviour = { source: { file: dump.file }, emitBytes: Math.floor(dump.bytes.length / 3) };
  const killed = (['KILL', 'TERM', 'SEGV', 'ABRT', 'PIPE', 'BUS'] as const).flatMap((childSignal): Failure[] => [
    { name: `its child dies by SIG${childSignal}, exit code 0`, behaviour: { ...half, childSignal }, codes: ['DUMP_INCOMPLETE'] },
    { name: `its child dies by SIG${childSignal} at once, exit code 0`, behaviour: { childSignal }, codes: ['DUMP_INCOMPLETE'] },
    {
      name: `its child dies by SIG${childSignal}, exit code 137`,
      behaviour: { ...half, childSignal, end: { exitCode: 137 } },
      codes: ['DUMP_FAILED'],
    },
  ]);
  const left = amounts(dump).flatMap(([amount, behaviour]): Failure[] => [
    {
      name: `leaves a silent child after ${amount}, exit code 1`,
      behaviour: { ...behaviour, leaves: 'quiet', end: { exitCode: 1 } },
      codes: ['DUMP_FAILED'],
    },
    {
      name: `leaves a silent child after ${amount}, SIGKILL`,
      behaviour: { ...behaviour, leaves: 'quiet', end: { signal: 'KILL' } },
      codes: ['DUMP_KILLED'],
    },
    {
      name: `closes stdout after ${amount}, exit code 1`,
      behaviour: { ...behaviour, closeStdout: true, end: { exitCode: 1 } },
      codes: ['DUMP_FAILED'],
    },
  ]);
  return [...killed, ...left];
};

/**
 * `count` failures: every kind whole, and exit codes for the rest. The three compressions take turns within each kind.
 */
export function dumpFailures(dump: RecordedDump, random: SeededRandom, count: number): DumpFailure[] {
  const kinds = [signals(dump), cuts(dump, random), hangs(dump), stderrs(dump), contents(dump), children(dump)];
  const others = kinds.reduce((sum, kind) => sum + kind.length, 0);
  if (others >= count) throw new Error(`There are ${others} failures besides exit codes: ask for more than ${count}.`);
  return [exits(dump, random, count - others), ...kinds].flatMap((kind) =>
    kind.map((failure, index) => ({ ...failure, compression: COMPRESSIONS[index % COMPRESSIONS.length] ?? 'zstd' })),
  );
}
