import { AppError } from '@rahatback/contracts';
import type { Client } from 'pg';
import type { DatabaseTraits, DumpFacts } from '../../dump/dump-facts.js';
import { quoteIdentifier } from '../../dump/copy-target.js';
import type { DatabaseAccess, StagingDatabase } from '../database-engine.js';
import { MAINTENANCE_DATABASE, rowsOf, withClient, type ClientOptions } from './pg-client.js';
import { assertNoDowngrade } from './pg-downgrade.js';
import { dropSubscriptions } from './pg-subscriptions.js';

const STAGING_PREFIX = 'rahatback_restore_';
const MARKER = 'RahatBack restore in progress: ';
const RESTORED_MARKER = 'Restored by RahatBack: ';
const IN_MAINTENANCE: ClientOptions = {
  database: MAINTENANCE_DATABASE,
  statementTimeoutMs: 5 * 60_000,
  statementFailure: 'RESTORE_FAILED',
};

const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`;

const inMaintenance = <T>(access: DatabaseAccess, work: (client: Client) => Promise<T>): Promise<T> =>
  withClient(access, IN_MAINTENANCE, work);

async function exists(client: Client, database: string): Promise<boolean> {
  return (await rowsOf(client, 'SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1', [database])).length > 0;
}

async function serverOf(client: Client): Promise<{ major: number; version: string }> {
  const [[version] = []] = await rowsOf(client, 'SHOW server_version');
  return { major: Number.parseInt(version ?? '', 10), version: version?.split(' ')[0] ?? '' };
}

const targetExists = (target: string): AppError =>
  new AppError(
    'RESTORE_TARGET_EXISTS',
    `There is already a database ${target}. Choose another name: a restore never writes into a live one.`,
    { target },
  );

/** Roles and extensions that the dump names and the target server lacks; also the target's name. */
export function preflight(access: DatabaseAccess, target: string, facts: DumpFacts): Promise<void> {
  return inMaintenance(access, async (client) => {
    assertNoDowngrade(await serverOf(client), facts);
    if (await exists(client, target)) throw targetExists(target);
    const missing = async (text: string, wanted: readonly string[]): Promise<string[]> => {
      const found = new Set((await rowsOf(client, text, [wanted])).map(([name]) => name));
      return wanted.filter((name) => !found.has(name));
    };
    const roles = await missing('SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ANY($1)', facts.roles);
    const extensions = await missing(
      'SELECT name FROM pg_catalog.pg_available_extensions WHERE name = ANY($1)',
      facts.extensions,
    );
    if (roles.length === 0 && extensions.length === 0) return;
    const parts = [
      ...(roles.length > 0
        ? [`roles ${roles.join(', ')} (run: ${roles.map((role) => `CREATE ROLE ${quoteIdentifier(role)};`).join(' ')})`]
        : []),
      ...(extensions.length > 0 ? [`extensions ${extensions.join(', ')} (install their packages)`] : []),
    ];
    throw new AppError('RESTORE_FAILED', `The target server lacks ${parts.join(' and ')}. Nothing was created.`, {
      roles,
      extensions,
    });
  });
}

function localeClauses({ encoding, collate, ctype, provider, icuLocale, icuRules }: DatabaseTraits, serverMajor: number): string {
  const clauses = [`ENCODING ${literal(encoding)}`, `LC_COLLATE ${literal(collate)}`, `LC_CTYPE ${literal(ctype)}`];
  if (provider === 'icu' && serverMajor >= 15) clauses.push('LOCALE_PROVIDER icu', `ICU_LOCALE ${literal(icuLocale ?? 'und')}`);
  if (icuRules && serverMajor >= 16) clauses.push(`ICU_RULES ${literal(icuRules)}`);
  if (provider === 'builtin' && serverMajor >= 17)
    clauses.push('LOCALE_PROVIDER builtin', `BUILTIN_LOCALE ${literal(icuLocale ?? 'C')}`);
  return clauses.join(' ');
}

/** An empty database like the source, under a name and a comment that say what it is until it is whole. */
export function createStaging(access: DatabaseAccess, restoreId: string, { database, encoding }: DumpFacts): Promise<string> {
  const staging = `${STAGING_PREFIX}${restoreId
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, 40)
    .toLowerCase()}`;
  return inMaintenance(access, async (client) => {
    await drop(client, access, staging);
    const serverMajor = Math.floor(Number((await rowsOf(client, 'SHOW server_version_num'))[0]?.[0] ?? 0) / 10_000);
    const locale = database ? localeClauses(database, serverMajor) : encoding ? `ENCODING ${literal(encoding)}` : '';
    try {
      await client.query(`CREATE DATABASE ${quoteIdentifier(staging)} TEMPLATE template0 ${locale}`);
      await client.query(`COMMENT ON DATABASE ${quoteIdentifier(staging)} IS ${literal(MARKER + restoreId)}`);
    } catch (cause) {
      await drop(client, access, staging).catch(() => undefined);
      const said = (cause as Error).message;
      throw new AppError('RESTORE_FAILED', `The target server cannot create a database like the source: ${said}.`, undefined, {
        cause,
      });
    }
    return staging;
  });
}

/** Source settings (ALTER DATABASE … SET) that the server accepts, the restore's id as a comment, then the final name; at once or not at all. */
export function publishStaging(
  access: DatabaseAccess,
  staging: string,
  { targetDatabase: target, restoreId }: { readonly targetDatabase: string; readonly restoreId: string },
  { database }: DumpFacts,
): Promise<void> {
  return inMaintenance(access, async (client) => {
    if (await exists(client, target)) throw targetExists(target);
    await client.query('BEGIN');
    for (const setting of database?.settings ?? []) await applySetting(client, staging, setting);
    await client.query(`COMMENT ON DATABASE ${quoteIdentifier(staging)} IS ${literal(RESTORED_MARKER + restoreId)}`);
    await client.query(`ALTER DATABASE ${quoteIdentifier(staging)} RENAME TO ${quoteIdentifier(target)}`);
    await client.query('COMMIT');
  });
}

/** FROM CURRENT takes the value as it is, so that lists need no quoting rules. A setting that this user may not make is left out. */
async function applySetting(client: Client, staging: string, setting: string): Promise<void> {
  const [name = '', ...value] = setting.split('=');
  await client.query('SAVEPOINT setting');
  try {
    await client.query('SELECT pg_catalog.set_config($1, $2, true)', [name, value.join('=')]);
    const quoted = name.split('.').map(quoteIdentifier).join('.');
    await client.query(`ALTER DATABASE ${quoteIdentifier(staging)} SET ${quoted} FROM CURRENT`);
  } catch {
    await client.query('ROLLBACK TO SAVEPOINT setting');
  }
}

async function drop(client: Client, access: DatabaseAccess, staging: string): Promise<void> {
  if (!staging.startsWith(STAGING_PREFIX))
    throw new AppError('INTERNAL', `${staging} is no staging database: it is not dropped.`);
  await dropSubscriptions(access, staging);
  await client.query('SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1', [
    staging,
  ]);
  await client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(staging)}`);
}

export const dropStaging = (access: DatabaseAccess, staging: string): Promise<void> =>
  inMaintenance(access, (client) => drop(client, access, staging));

/** Databases that carry both our name and our comment. */
export function findStaging(access: DatabaseAccess): Promise<readonly StagingDatabase[]> {
  return inMaintenance(access, async (client) => {
    const text = `SELECT d.datname, s.description FROM pg_catalog.pg_database d
      LEFT JOIN pg_catalog.pg_shdescription s ON s.objoid = d.oid AND s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
      WHERE pg_catalog.starts_with(d.datname::text, $1) AND (s.description IS NULL OR pg_catalog.starts_with(s.description, $2))`;
    const found = await rowsOf(client, text, [STAGING_PREFIX, MARKER]);
    return found.map(([name, description]) => ({ name: name ?? '', restoreId: description?.slice(MARKER.length) ?? '' }));
  });
}

/** The database that a finished restore left under its final name, told by its comment; a restore whose agent died after that was a success. */
export function findRestored(access: DatabaseAccess, restoreId: string): Promise<string | null> {
  return inMaintenance(access, async (client) => {
    const text = `SELECT d.datname FROM pg_catalog.pg_database d JOIN pg_catalog.pg_shdescription s
      ON s.objoid = d.oid AND s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass WHERE s.description = $1 OR pg_catalog.starts_with(s.description, $1 || E'\\n')`;
    return (await rowsOf(client, text, [RESTORED_MARKER + restoreId]))[0]?.[0] ?? null;
  });
}
