import type { Client } from 'pg';
import { quoteIdentifier } from '../../dump/copy-target.js';
import { rowsOf } from './pg-client.js';
import { literal } from './pg-literal.js';

/** One privilege on a database. `grantee` null is PUBLIC. */
interface DatabaseGrant {
  readonly grantor: string;
  readonly grantee: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
}

/** `name=value` as pg_db_role_setting keeps it; `role` null is for all roles. */
interface DatabaseSetting {
  readonly role: string | null;
  readonly setting: string;
}

/** What belongs to the database itself and not to what is in it: a dump of one database does not carry it. */
interface DatabaseProperties {
  readonly owner: string;
  readonly isTemplate: boolean;
  readonly connectionLimit: number;
  readonly grants: readonly DatabaseGrant[];
  readonly settings: readonly DatabaseSetting[];
}

/** Settings whose value is a list of quoted names (GUC_LIST_QUOTE): each name is said by itself, as pg_dump does. */
const NAME_LISTS = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);
const LIST_ITEM = /\s*(?:"((?:[^"]|"")*)"|([^,"]*?))\s*(?:,|$)/gy;

export async function readProperties(client: Client, database: string): Promise<DatabaseProperties> {
  const text = `SELECT pg_catalog.pg_get_userbyid(datdba), datistemplate, datconnlimit FROM pg_catalog.pg_database WHERE datname = $1`;
  const [[owner, isTemplate, limit] = []] = await rowsOf(client, text, [database]);
  const grants = `SELECT pg_catalog.pg_get_userbyid(a.grantor), CASE WHEN a.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
      a.privilege_type, a.is_grantable
    FROM pg_catalog.pg_database d, pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
    WHERE d.datname = $1 ORDER BY 1, 2, 3`;
  const settings = `SELECT CASE WHEN s.setrole = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(s.setrole) END, pg_catalog.unnest(s.setconfig)
    FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase WHERE d.datname = $1 ORDER BY 1, 2`;
  return {
    owner: owner ?? '',
    isTemplate: isTemplate === 't',
    connectionLimit: Number(limit),
    grants: (await rowsOf(client, grants, [database])).map(([grantor, grantee, privilege, grantable]) => ({
      grantor: grantor ?? '',
      grantee: grantee ?? null,
      privilege: privilege ?? '',
      grantable: grantable === 't',
    })),
    settings: (await rowsOf(client, settings, [database])).map(([role, setting]) => ({
      role: role ?? null,
      setting: setting ?? '',
    })),
  };
}

function listItems(value: string): string[] {
  const items: string[] = [];
  LIST_ITEM.lastIndex = 0;
  for (let end = 0; end < value.length; end = LIST_ITEM.lastIndex) {
    const found = LIST_ITEM.exec(value);
    if (!found) return [value];
    items.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
  }
  return items.length === 0 ? [''] : items;
}

/** `"search_path" TO 'a', 'b'` for `ALTER … SET`. */
export function settingClause(setting: string): string {
  const at = setting.indexOf('=');
  const name = setting.slice(0, at);
  const value = setting.slice(at + 1);
  const quoted = name.split('.').map(quoteIdentifier).join('.');
  const values = NAME_LISTS.has(name.toLowerCase()) ? listItems(value) : [value];
  return `${quoted} TO ${values.map(literal).join(', ')}`;
}

const settingTarget = (database: string, role: string | null): string =>
  role === null
    ? `ALTER DATABASE ${quoteIdentifier(database)}`
    : `ALTER ROLE ${quoteIdentifier(role)} IN DATABASE ${quoteIdentifier(database)}`;

async function copySettings(client: Client, database: string, from: DatabaseProperties, to: DatabaseProperties): Promise<void> {
  const same = ({ role, setting }: DatabaseSetting) => `${role ?? ''}\0${setting}`;
  const wanted = new Set(from.settings.map(same));
  if (to.settings.length === wanted.size && to.settings.every((setting) => wanted.has(same(setting)))) return;
  for (const role of new Set(to.settings.map((setting) => setting.role)))
    await client.query(`${settingTarget(database, role)} RESET ALL`);
  for (const { role, setting } of from.settings)
    await client.query(`${settingTarget(database, role)} SET ${settingClause(setting)}`);
}

const grantee = ({ grantee: name }: Pick<DatabaseGrant, 'grantee'>): string => (name === null ? 'PUBLIC' : quoteIdentifier(name));

async function grantAs(client: Client, on: string, grant: DatabaseGrant): Promise<void> {
  const option = grant.grantable ? ' WITH GRANT OPTION' : '';
  await client.query(`GRANT ${grant.privilege} ON DATABASE ${on} TO ${grantee(grant)}${option}`);
}

/** The owner's own grants first, then those that others passed on, each made by who made it. */
async function copyGrants(client: Client, database: string, from: DatabaseProperties, to: DatabaseProperties): Promise<void> {
  const key = (properties: DatabaseProperties): string => JSON.stringify(properties.grants);
  if (key(from) === key(to)) return;
  const on = quoteIdentifier(database);
  for (const grant of to.grants) await client.query(`REVOKE ALL ON DATABASE ${on} FROM ${grantee(grant)} CASCADE`);
  await client.query(`REVOKE ALL ON DATABASE ${on} FROM PUBLIC CASCADE`);
  for (const grant of from.grants) if (grant.grantor === from.owner) await grantAs(client, on, grant);
  let left = from.grants.filter(({ grantor }) => grantor !== from.owner);
  const granted = new Set([from.owner, ...from.grants.filter((grant) => !left.includes(grant)).map((grant) => grant.grantee)]);
  while (left.length > 0) {
    const next = left.filter(({ grantor }) => granted.has(grantor));
    // A grant whose grantor has no grant itself cannot be made; the comparison afterwards says so.
    if (next.length === 0) return;
    for (const grant of next) {
      await client.query(`SET LOCAL ROLE ${quoteIdentifier(grant.grantor)}`);
      await grantAs(client, on, grant);
      await client.query('RESET ROLE');
      granted.add(grant.grantee);
    }
    left = left.filter((grant) => !next.includes(grant));
  }
}

/**
 * Gives database `to` the owner, grants, settings, connection limit and template flag of `from`, inside the open transaction.
 * @returns what does not agree afterwards, in words; empty when all does
 */
export async function copyProperties(client: Client, from: string, to: string): Promise<readonly string[]> {
  const wanted = await readProperties(client, from);
  const before = await readProperties(client, to);
  const on = quoteIdentifier(to);
  if (before.owner !== wanted.owner) await client.query(`ALTER DATABASE ${on} OWNER TO ${quoteIdentifier(wanted.owner)}`);
  if (before.connectionLimit !== wanted.connectionLimit)
    await client.query(`ALTER DATABASE ${on} CONNECTION LIMIT ${wanted.connectionLimit}`);
  if (before.isTemplate !== wanted.isTemplate) await client.query(`ALTER DATABASE ${on} IS_TEMPLATE ${wanted.isTemplate}`);
  await copyGrants(client, to, wanted, await readProperties(client, to));
  await copySettings(client, to, wanted, before);
  return differences(wanted, await readProperties(client, to));
}

const WORDS: Readonly<Record<keyof DatabaseProperties, string>> = {
  owner: 'owner',
  isTemplate: 'template flag',
  connectionLimit: 'connection limit',
  grants: 'grants',
  settings: 'settings',
};

function differences(wanted: DatabaseProperties, found: DatabaseProperties): string[] {
  const names = Object.keys(WORDS) as (keyof DatabaseProperties)[];
  const sorted = (value: unknown): string =>
    JSON.stringify(Array.isArray(value) ? value.map((item) => JSON.stringify(item)).sort() : value);
  return names.filter((name) => sorted(wanted[name]) !== sorted(found[name])).map((name) => WORDS[name]);
}
