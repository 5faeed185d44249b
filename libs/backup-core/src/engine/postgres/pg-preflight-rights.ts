import type { PreflightFinding, PreflightSubject } from '@rahatback/contracts';
import type { Client } from 'pg';
import { quoteIdentifier } from '../../dump/copy-target.js';
import type { DumpFacts } from '../../dump/dump-facts.js';
import { rowsOf } from './pg-client.js';

/** Where Debian and Red Hat keep extensions that are not PostgreSQL's own. `{major}` is the server's. */
const PACKAGES: Readonly<Record<string, string>> = {
  postgis: 'postgresql-{major}-postgis-3',
  postgis_topology: 'postgresql-{major}-postgis-3',
  postgis_raster: 'postgresql-{major}-postgis-3',
  vector: 'postgresql-{major}-pgvector',
  timescaledb: 'timescaledb-2-postgresql-{major}',
  pg_cron: 'postgresql-{major}-cron',
  pgaudit: 'postgresql-{major}-pgaudit',
  pg_partman: 'postgresql-{major}-partman',
  pg_repack: 'postgresql-{major}-repack',
  hll: 'postgresql-{major}-hll',
  citus: 'postgresql-{major}-citus',
};

interface Rights {
  readonly username: string;
  readonly isSuperuser: boolean;
  readonly mayCreate: boolean;
}

type Say = (severity: PreflightFinding['severity'], message: string, details?: Record<string, unknown>) => PreflightFinding;
const about =
  (subject: PreflightSubject): Say =>
  (severity, message, details) => ({ subject, severity, message, ...(details ? { details } : {}) });

export async function readRights(client: Client): Promise<Rights> {
  const text = 'SELECT rolname, rolsuper, rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER';
  const [[username, isSuper, mayCreate] = []] = await rowsOf(client, text);
  return { username: username ?? '', isSuperuser: isSuper === 't', mayCreate: isSuper === 't' || mayCreate === 't' };
}

/** Roles that owners and grants of the backup name. */
export async function roleFindings(client: Client, { roles }: DumpFacts, rights: Rights): Promise<readonly PreflightFinding[]> {
  const say = about('roles');
  const text = `SELECT rolname, pg_catalog.pg_has_role(oid, 'MEMBER') FROM pg_catalog.pg_roles WHERE rolname = ANY($1)`;
  const found = new Map((await rowsOf(client, text, [roles])).map(([name, member]) => [name, member === 't']));
  const missing = roles.filter((role) => !found.has(role));
  const foreign = rights.isSuperuser ? [] : roles.filter((role) => found.get(role) === false);
  const create = missing.map((role) => `CREATE ROLE ${quoteIdentifier(role)};`);
  const grant = foreign.map((role) => `GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(rights.username)};`);
  const findings = [
    ...(missing.length > 0
      ? [
          say('blocker', `The server lacks the roles ${missing.join(', ')} of the backup. Create them: ${create.join(' ')}`, {
            missing,
            statements: create,
          }),
        ]
      : []),
    ...(foreign.length > 0
      ? [
          say(
            'warning',
            `User ${rights.username} is no member of ${foreign.join(', ')}: what they own at the source cannot be given to them. Run: ${grant.join(' ')}`,
            { statements: grant },
          ),
        ]
      : []),
  ];
  return findings.length > 0 ? findings : [say('ok', `All ${roles.length} roles are there.`)];
}

/** Extensions that the backup makes, and whether this user may. */
export async function extensionFindings(
  client: Client,
  { extensions }: DumpFacts,
  { rights, serverMajor }: { readonly rights: Rights; readonly serverMajor: number },
): Promise<readonly PreflightFinding[]> {
  const text = `SELECT e.name, v.superuser AND NOT v.trusted FROM pg_catalog.pg_available_extensions e
    JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version WHERE e.name = ANY($1)`;
  const found = new Map((await rowsOf(client, text, [extensions])).map(([name, needs]) => [name, needs === 't']));
  const missing = extensions.filter((name) => !found.has(name));
  const forSuperusers = rights.isSuperuser ? [] : extensions.filter((name) => found.get(name) === true);
  const packageOf = (name: string): string =>
    (PACKAGES[name] ?? `postgresql-contrib, or the package of ${name}`).replace('{major}', String(serverMajor));
  const hints = Object.fromEntries(missing.map((name) => [name, packageOf(name)]));
  const words = missing.map((name) => `${name} (${packageOf(name)})`).join(', ');
  return [
    missing.length > 0
      ? about('extensions')('blocker', `The server lacks the extensions ${words}. Install their packages on its machine.`, {
          missing,
          packages: hints,
        })
      : about('extensions')(
          'ok',
          extensions.length === 0 ? 'The backup needs no extensions.' : `All extensions are there: ${extensions.join(', ')}.`,
        ),
    ...(forSuperusers.length > 0
      ? [
          about('privileges')(
            'blocker',
            `Only a superuser can create the extensions ${forSuperusers.join(', ')}, and ${rights.username} is none. Restore with a superuser's connection.`,
            { extensions: forSuperusers },
          ),
        ]
      : []),
  ];
}

/** May this user create a database, and with `live`, rename that one? */
export async function privilegeFinding(client: Client, rights: Rights, live: string | null): Promise<PreflightFinding> {
  const say = about('privileges');
  const user = quoteIdentifier(rights.username);
  const statements = rights.mayCreate ? [] : [`ALTER ROLE ${user} CREATEDB;`];
  if (live !== null && !rights.isSuperuser) {
    const text = `SELECT pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database WHERE datname = $1`;
    const [[owner, owns] = []] = await rowsOf(client, text, [live]);
    if (owner && owns !== 't') statements.push(`GRANT ${quoteIdentifier(owner)} TO ${user};`);
  }
  if (statements.length === 0) return say('ok', `User ${rights.username} may do it.`);
  const what = live === null ? 'create databases' : `create databases and rename ${live}`;
  return say('blocker', `User ${rights.username} may not ${what}. Run as a superuser: ${statements.join(' ')}`, { statements });
}
