import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a shim's output comes from: zero bytes, a file's, a text's, or those of the real tool run with the same arguments. */
export type ShimSource = 'zeros' | { readonly file: string } | { readonly text: string } | { readonly real: string };

/** Signals that end a process which does not handle them; what a shell's `kill -s` calls them. */
export const ENDING_SIGNALS = [
  'KILL',
  'TERM',
  'SEGV',
  'ABRT',
  'PIPE',
  'HUP',
  'INT',
  'QUIT',
  'BUS',
  'FPE',
  'ILL',
  'SYS',
  'TRAP',
  'ALRM',
  'USR1',
  'USR2',
  'VTALRM',
  'PROF',
  'XCPU',
  'XFSZ',
] as const;
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

/** What a shim does in one call, in this order: stderr, stdout, what it leaves behind, then its end. */
export interface ShimBehaviour {
  /** Written to stderr before anything else. */
  readonly stderr?: string;
  /** So many bytes of noise on stderr: a tool that floods its log. */
  readonly stderrFloodBytes?: number;
  readonly source?: ShimSource;
  /** Cuts stdout off after so many bytes. Default: all of the source, none of 'zeros'. */
  readonly emitBytes?: number;
  /** The source is written by a child process that ends by this signal; the shim itself goes on. */
  readonly childSignal?: EndingSignal;
  /** Written to stdout after the source. */
  readonly trailer?: string;
  /** Closes stdout before the end: the reader sees the end of the output while the tool lives. */
  readonly closeStdout?: boolean;
  /** Starts a process of the same group that lives on: one that holds stdout and stderr open, or one that holds nothing. */
  readonly leaves?: 'holder' | 'quiet';
  /**
   * How it ends: with a code (default 0), by a signal, or never. `deaf` hangs and ignores SIGTERM and SIGINT; `storm` writes to stderr for ever.
   */
  readonly end?: { readonly exitCode: number } | { readonly signal: EndingSignal } | 'hang' | 'deaf' | 'storm';
}

export interface ShimTool {
  /** What `--version` and `-V` answer, after the tool's name and "(PostgreSQL)". Default 15.18. */
  readonly version?: string;
  /** One for each call; the last one stays. Calls for the version do not count. Default: exit 0 with no output. */
  readonly calls?: readonly ShimBehaviour[];
}

export type ShimName = 'pg_dump' | 'pg_restore' | 'psql' | 'pg_dumpall';

export interface ShimTools {
  /** Put it first into PATH, or name it as the folder of the tools. */
  readonly binDir: string;
  /** The arguments of each call so far (version calls left out), oldest first. */
  calls(name: ShimName): Promise<string[][]>;
}

const shellQuote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function sourceCommand(source: ShimSource): string {
  if (source === 'zeros') return 'cat /dev/zero';
  if ('file' in source) return `cat ${shellQuote(source.file)}`;
  if ('text' in source) return `printf %s ${shellQuote(source.text)}`;
  return `${shellQuote(source.real)} "$@"`;
}

function endCommand(end: ShimBehaviour['end']): string {
  if (end === 'hang') return 'exec sleep 100000';
  // An ignored signal stays ignored across exec.
  if (end === 'deaf') return `trap '' TERM INT; exec sleep 100000`;
  if (end === 'storm') return `exec yes 'pg_dump: warning: noise' >&2`;
  if (end === undefined) return 'exit 0';
  return 'signal' in end ? `kill -s ${end.signal} $$` : `exit ${end.exitCode}`;
}

function emission({ source, emitBytes }: ShimBehaviour): string | null {
  const limit = emitBytes ?? (source === undefined || source === 'zeros' ? 0 : undefined);
  if (limit === 0) return null;
  const command = sourceCommand(source ?? 'zeros');
  return limit === undefined ? command : `${command} 2>/dev/null | head -c ${limit}`;
}

const LEFT_BEHIND = {
  holder: 'sleep 100000 &',
  quiet: 'sleep 100000 </dev/null >/dev/null 2>&1 &',
} as const;

function behaviourLines(behaviour: ShimBehaviour): string[] {
  const lines: string[] = [];
  const { stderr, stderrFloodBytes, childSignal, trailer, closeStdout, leaves, end } = behaviour;
  if (stderr !== undefined) lines.push(`printf %s ${shellQuote(stderr)} >&2`);
  if (stderrFloodBytes !== undefined) lines.push(`yes 'pg_dump: warning: noise' | head -c ${stderrFloodBytes} >&2`);
  const emitted = emission(behaviour);
  // `$$` in a child shell is the child; the shim's own shell would say "Killed" on stderr, as a real one does.
  if (childSignal !== undefined) {
    lines.push(`sh -c ${shellQuote(`${emitted ?? ':'}\nkill -s ${childSignal} $$`)} child "$@"`);
  } else if (emitted !== null) lines.push(emitted);
  if (trailer !== undefined) lines.push(`printf %s ${shellQuote(trailer)}`);
  if (leaves !== undefined) lines.push(LEFT_BEHIND[leaves]);
  if (closeStdout === true) lines.push('exec >&-');
  return [...lines, endCommand(end)];
}

function script(name: ShimName, tool: ShimTool, stateDir: string): string {
  const calls = tool.calls?.length ? tool.calls : [{}];
  const cases = calls.flatMap((behaviour, index) => {
    const label = index === calls.length - 1 ? '*' : String(index + 1);
    return [`${label})`, ...behaviourLines(behaviour), ';;'];
  });
  return [
    '#!/bin/sh',
    // Some signals would leave a core file.
    'ulimit -c 0',
    `case "$1" in --version|-V) echo ${shellQuote(`${name} (PostgreSQL) ${tool.version ?? '15.18'}`)}; exit 0;; esac`,
    // One line of NUL-ended arguments, quoted as hex, so that an argument may hold anything.
    `calls=${shellQuote(join(stateDir, `${name}.calls`))}`,
    `{ for argument in "$@"; do printf '%s\\0' "$argument" | od -An -v -tx1 | tr -d ' \\n'; done; echo; } >> "$calls"`,
    'case "$(wc -l < "$calls" | tr -d " ")" in',
    ...cases,
    'esac',
    '',
  ].join('\n');
}

const argumentsOf = (line: string): string[] => Buffer.from(line, 'hex').toString('utf8').split('\0').slice(0, -1);

/**
 * Writes fake dump tools into `dir` that behave as told, call by call, and remember their arguments. They need only a POSIX shell and coreutils.
 * Calls that run at the same moment may share a behaviour. A second set in the same folder replaces tools of the same name.
 */
export async function shimTools(dir: string, tools: Readonly<Partial<Record<ShimName, ShimTool>>>): Promise<ShimTools> {
  const stateDir = join(dir, `.shim-${randomUUID()}`);
  await mkdir(stateDir, { recursive: true });
  // The tools may run as another user than the one who reads their calls.
  await chmod(stateDir, 0o777);
  for (const name of Object.keys(tools) as ShimName[]) {
    const path = join(dir, name);
    await writeFile(path, script(name, tools[name] ?? {}, stateDir));
    await chmod(path, 0o755);
  }
  return {
    binDir: dir,
    async calls(name) {
      const path = join(stateDir, `${name}.calls`);
      return existsSync(path) ? (await readFile(path, 'utf8')).split('\n').slice(0, -1).map(argumentsOf) : [];
    },
  };
}
