import { AppError } from '@rahatback/contracts';
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { outputOf } from '../../process/spawn-tool.js';
import type { ToolSearch } from '../database-engine.js';

const VERSION_TIMEOUT_MS = 10_000;
/** Debian's layout below any root: the programs are used together with `<root>/lib` and `<root>/usr/share`. */
const DEBIAN_LAYOUT = /^(.*)\/usr\/lib\/postgresql\/\d+\/bin$/;

export interface ServerPrograms {
  readonly major: number;
  /** `15.20` */
  readonly version: string;
  /** Holds initdb and postgres. */
  readonly folder: string;
}

export const serverProgram = ({ folder }: Pick<ServerPrograms, 'folder'>, name: 'initdb' | 'postgres'): string =>
  join(folder, name);

const foldersOf = (major: number, { extraFolders = [], path = '' }: ToolSearch): readonly string[] => [
  ...extraFolders,
  `/usr/lib/postgresql/${major}/bin`,
  `/usr/pgsql-${major}/bin`,
  `/opt/homebrew/opt/postgresql@${major}/bin`,
  `/usr/local/opt/postgresql@${major}/bin`,
  ...path.split(delimiter).filter((entry) => entry !== ''),
];

async function readPrograms(folder: string): Promise<ServerPrograms | null> {
  const postgres = serverProgram({ folder }, 'postgres');
  if (!existsSync(postgres) || !existsSync(serverProgram({ folder }, 'initdb'))) return null;
  const real = dirname(await realpath(postgres));
  const command = { binary: join(real, 'postgres'), args: ['--version'], env: { LC_ALL: 'C' } };
  const output = await outputOf(command, AbortSignal.timeout(VERSION_TIMEOUT_MS));
  const version = /\(PostgreSQL\) (\d+(?:\.\d+)?)/.exec(output ?? '')?.[1];
  return version === undefined ? null : { major: Number.parseInt(version, 10), version, folder: real };
}

/**
 * Server programs of just that major, found where client tools are looked for.
 * @throws AppError SERVER_BINARIES_MISSING saying what to install
 */
export async function findServerPrograms(major: number, search: ToolSearch): Promise<ServerPrograms> {
  for (const folder of new Set(foldersOf(major, search))) {
    const found = await readPrograms(folder);
    if (found?.major === major) return found;
  }
  throw new AppError(
    'SERVER_BINARIES_MISSING',
    `A full verification restores into a PostgreSQL ${major} server of its own, and its programs (initdb, postgres) are not on the agent's machine. Install them: package postgresql-${major} (Debian, Ubuntu) or postgresql${major}-server (Red Hat); no server needs to run.`,
    { major },
  );
}

/** The folder that holds everything which programs in this folder use, or null when the system's own folders do. */
export function prefixOf(folder: string): string | null {
  const root = DEBIAN_LAYOUT.exec(folder)?.[1] ?? dirname(folder);
  return root === '' || root === '/' || root === '/usr' || root.startsWith('/usr/') ? null : root;
}
