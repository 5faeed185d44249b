import { AppError } from '@rahatback/contracts';
import type { Client } from 'pg';
import type { DatabaseTraits } from '../../dump/dump-facts.js';
import { qualifiedName, quoteIdentifier } from '../../dump/copy-target.js';
import type { DatabaseAccess, ProbePurpose, ProbeResult } from '../database-engine.js';
import { MAINTENANCE_DATABASE, rowsOf, withClient } from './pg-client.js';
import { placeOf } from './pg-errors.js';

const LISTED_NAMES = 10;
const UNREADABLE = `
  SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    AND NOT CASE WHEN c.relkind = 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END
  ORDER BY 1, 2 LIMIT 1`;
const TRAITS_COLUMNS = 'pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, pg_catalog.pg_database_size(d.oid)';
const SETTINGS = `
  SELECT pg_catalog.unnest(s.setconfig) FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  WHERE d.datname = pg_catalog.current_database() AND s.setrole = 0`;

const PROVIDERS = { c: 'libc', i: 'icu', b: 'builtin' } as const;

/** Connects, reads what a run needs to know, and checks that the user may do it. */
export async function probe(access: DatabaseAccess, purpose: ProbePurpose): Promise<ProbeResult> {
  const startedAt = performance.now();
  const options = purpose === 'restore' ? { database: MAINTENANCE_DATABASE } : {};
  try {
    return await withClient(access, options, async (client) => {
      const result = await readServer(client, startedAt);
      await (purpose === 'restore' ? assertMayCreate(client, access) : assertReadable(client, access));
      return result;
    });
  } catch (error) {
    if (error instanceof AppError && error.code === 'DB_NOT_FOUND') throw await withNames(error, access);
    throw error;
  }
}

async function readServer(client: Client, startedAt: number): Promise<ProbeResult> {
  const [[version = '', number = '0'] = []] = (await rowsOf(
    client,
    "SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')",
  )) as string[][];
  const latencyMs = Math.round(performance.now() - startedAt);
  const serverMajor = Math.floor(Number(number) / 10_000);
  const { traits, databaseBytes } = await readTraits(client, serverMajor);
  return { serverVersion: version, serverMajor, latencyMs, databaseBytes, traits };
}

async function assertMayCreate(client: Client, { connection }: DatabaseAccess): Promise<void> {
  const text = 'SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER';
  if ((await rowsOf(client, text))[0]?.[0] === 't') return;
  const grant = `ALTER ROLE ${quoteIdentifier(connection.username)} CREATEDB;`;
  throw new AppError(
    'DB_PRIVILEGE',
    `User ${connection.username} may not create databases on ${placeOf(connection)}. Run: ${grant}`,
  );
}

async function assertReadable(client: Client, { connection }: DatabaseAccess): Promise<void> {
  const [unreadable] = (await rowsOf(client, UNREADABLE)) as [string, string][];
  if (!unreadable) return;
  const name = qualifiedName(...unreadable);
  const grant = `GRANT SELECT ON ${name} TO ${quoteIdentifier(connection.username)};`;
  throw new AppError('DB_PRIVILEGE', `User ${connection.username} cannot read ${name} on ${placeOf(connection)}. Run: ${grant}`);
}

async function readTraits(
  client: Client,
  serverMajor: number,
): Promise<{ traits: DatabaseTraits; databaseBytes: number | null }> {
  const icuColumn = serverMajor >= 17 ? 'd.datlocale' : 'd.daticulocale';
  const rules = serverMajor >= 16 ? 'd.daticurules' : 'NULL';
  const locale = serverMajor >= 15 ? `d.datlocprovider, ${icuColumn}, ${rules}` : "'c', NULL, NULL";
  const text = `SELECT ${TRAITS_COLUMNS}, ${locale} FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`;
  const [[encoding, collate, ctype, bytes, provider, icuLocale, icuRules] = []] = await rowsOf(client, text);
  const settings = (await rowsOf(client, SETTINGS)).map(([setting]) => setting ?? '');
  const traits: DatabaseTraits = {
    encoding: encoding ?? 'UTF8',
    collate: collate ?? 'C',
    ctype: ctype ?? 'C',
    provider: PROVIDERS[provider as keyof typeof PROVIDERS] ?? 'libc',
    icuLocale: icuLocale ?? null,
    ...(icuRules == null ? {} : { icuRules }),
    settings,
  };
  return { traits, databaseBytes: bytes === null || bytes === undefined ? null : Number(bytes) };
}

/** Adds the names of databases that this user may see to the sentence. */
async function withNames(error: AppError, access: DatabaseAccess): Promise<AppError> {
  const list = async (database: string): Promise<string[]> =>
    withClient(access, { database }, async (client) => {
      const text = `SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate
        AND pg_catalog.has_database_privilege(oid, 'CONNECT') ORDER BY datname LIMIT ${LISTED_NAMES}`;
      return (await rowsOf(client, text)).map(([name]) => name ?? '');
    });
  const names = await list(MAINTENANCE_DATABASE).catch(() => list(access.connection.username).catch(() => []));
  const sentence =
    names.length > 0 ? `${error.message} This user sees: ${names.join(', ')}.` : `${error.message} Check the name.`;
  return new AppError('DB_NOT_FOUND', sentence, { visible: names }, { cause: error });
}
