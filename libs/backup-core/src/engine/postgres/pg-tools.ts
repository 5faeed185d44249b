import { AppError } from '@rahatback/contracts';
import { existsSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { outputOf } from '../../process/spawn-tool.js';
import type { ClientTools, ProbeResult, ToolSearch } from '../database-engine.js';

/** Where packages put one folder per version. */
const VERSION_ROOTS: readonly { readonly root: string; readonly bin: string }[] = [
  { root: '/usr/lib/postgresql', bin: 'bin' },
  { root: '/usr', bin: 'bin' },
  { root: '/opt/homebrew/opt', bin: 'bin' },
  { root: '/usr/local/opt', bin: 'bin' },
  { root: 'C:\\Program Files\\PostgreSQL', bin: 'bin' },
];
const VERSION_FOLDER = /^(\d+|pgsql-\d+|postgresql@\d+|libpq)$/;
const SUFFIX = process.platform === 'win32' ? '.exe' : '';
const VERSION_TIMEOUT_MS = 10_000;

/** First releases with restricted mode (CVE-2025-8714) made whole (CVE-2026-18408) and the pg_restore fix (CVE-2026-116314). Only a warning. */
const SAFE_MINORS: Readonly<Record<number, number>> = { 14: 25, 15: 20, 16: 16, 17: 12, 18: 7 };
/** First minor releases whose psql knows `\restrict`. */
const RESTRICT_MINORS: Readonly<Record<number, number>> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 };

const minorOf = (version: string): number => Number(/^\d+\.(\d+)/.exec(version)?.[1] ?? 0);

/** Whether this psql refuses meta-commands after `\restrict`. */
export const knowsRestrict = ({ major, version }: Pick<ClientTools, 'major' | 'version'>): boolean =>
  major >= 18 || minorOf(version) >= (RESTRICT_MINORS[major] ?? Number.POSITIVE_INFINITY);

export const programOf = ({ folder }: Pick<ClientTools, 'folder'>, name: 'pg_dump' | 'psql'): string =>
  join(folder, `${name}${SUFFIX}`);

async function versionFolders({ root, bin }: { root: string; bin: string }): Promise<string[]> {
  const names = await readdir(root).catch(() => []);
  return names.filter((name) => VERSION_FOLDER.test(name)).map((name) => join(root, name, bin));
}

/** Folders that hold pg_dump and psql, without those that only hold a wrapper script under those names. */
async function candidateFolders({ extraFolders = [], path = '' }: ToolSearch): Promise<string[]> {
  const versioned = (await Promise.all(VERSION_ROOTS.map(versionFolders))).flat();
  const folders = new Set<string>();
  for (const folder of [...extraFolders, ...versioned, ...path.split(delimiter).filter((entry) => entry !== '')]) {
    if (!existsSync(programOf({ folder }, 'pg_dump')) || !existsSync(programOf({ folder }, 'psql'))) continue;
    const real = await realpath(programOf({ folder }, 'pg_dump')).catch(() => '');
    if (basename(real) === `pg_dump${SUFFIX}`) folders.add(join(real, '..'));
  }
  return [...folders];
}

async function readTools(folder: string): Promise<ClientTools | null> {
  const command = { binary: programOf({ folder }, 'pg_dump'), args: ['--version'], env: { LC_ALL: 'C' } };
  const output = await outputOf(command, AbortSignal.timeout(VERSION_TIMEOUT_MS));
  const version = /\(PostgreSQL\) (\d+(?:\.\d+)?)/.exec(output ?? '')?.[1];
  if (version === undefined) return null;
  const major = Number.parseInt(version, 10);
  const safe = SAFE_MINORS[major];
  const outdated = safe !== undefined && minorOf(version) < safe;
  return {
    major,
    version,
    folder,
    warning: outdated ? `pg_dump ${version} has known flaws: install ${major}.${safe} or newer.` : null,
  };
}

/** Every installed version of the client tools, newest first. */
export async function findTools(search: ToolSearch): Promise<readonly ClientTools[]> {
  const found: ClientTools[] = [];
  for (const folder of await candidateFolders(search)) {
    const tools = await readTools(folder);
    if (tools && !found.some(({ version }) => version === tools.version)) found.push(tools);
  }
  return found.sort((left, right) => right.major - left.major || minorOf(right.version) - minorOf(left.version));
}

/** The lowest major that is not older than the server: it dumps what the server has and writes what the server reads. */
export function chooseTools(
  probe: Pick<ProbeResult, 'serverMajor' | 'serverVersion'>,
  tools: readonly ClientTools[],
): ClientTools {
  const [newest] = tools;
  if (!newest) {
    const searched = [...VERSION_ROOTS.map(({ root }) => root), 'PATH'].join(', ');
    throw new AppError(
      'TOOL_MISSING',
      `pg_dump and psql were not found (searched ${searched}). Install the PostgreSQL ${probe.serverMajor} client.`,
    );
  }
  const able = tools.filter(({ major }) => major >= probe.serverMajor);
  const chosen = able.reduce<ClientTools | undefined>(
    (best, next) => (!best || next.major < best.major ? next : best),
    undefined,
  );
  if (chosen) return chosen;
  throw new AppError(
    'TOOL_VERSION',
    `pg_dump ${newest.version} cannot dump server ${probe.serverVersion}. Install the PostgreSQL ${probe.serverMajor} client on the agent's machine.`,
    { newestTool: newest.version, serverVersion: probe.serverVersion },
  );
}
