import type { Connection } from '@rahatback/contracts';
import type { DatabaseTraits } from '../../dump/dump-facts.js';
import type { ToolCommand } from '../../process/spawn-tool.js';
import type { ClientTools, DatabaseAccess } from '../database-engine.js';
import { programOf } from './pg-tools.js';
import { asPgOptions, DUMP_SETTINGS, RESTORE_SETTINGS } from './session-settings.js';

const LOCK_WAIT_MS = 5 * 60_000;

/** libpq's connection string: a quoted value may hold anything, so no name can be taken for an option or a parameter. */
export function conninfo(connection: Connection, caFile?: string): string {
  const verify = connection.tlsMode === 'verify-ca' || connection.tlsMode === 'verify-full';
  const parameters: Record<string, string> = {
    host: connection.host,
    port: String(connection.port),
    user: connection.username,
    dbname: connection.database,
    sslmode: connection.tlsMode,
    ...(verify && caFile !== undefined ? { sslrootcert: caFile } : {}),
    keepalives_idle: '60',
  };
  return Object.entries(parameters)
    .map(([name, value]) => `${name}='${value.replaceAll(/[\\']/g, String.raw`\$&`)}'`)
    .join(' ');
}

/** The whole environment of a client tool. Messages are English so that they can be understood; no file of the user is read. */
function environmentOf({ password }: DatabaseAccess, settings: Readonly<Record<string, string>>): Record<string, string> {
  return {
    LC_ALL: 'C',
    PGAPPNAME: 'rahatback',
    PGCONNECT_TIMEOUT: '10',
    PGPASSFILE: '/nonexistent/pgpass',
    PGOPTIONS: asPgOptions(settings),
    ...(password === null ? {} : { PGPASSWORD: password }),
  };
}

/**
 * Plain SQL to stdout (docs/adr/0002), in the database's own encoding, whatever a setting of it asks clients to use: nothing
 * is translated, so no name of a role that another database gave is in the way.
 */
export const dumpCommand = (
  access: DatabaseAccess,
  tools: ClientTools,
  source?: Pick<DatabaseTraits, 'encoding'>,
): ToolCommand => ({
  binary: programOf(tools, 'pg_dump'),
  args: [
    '--format=plain',
    '--quote-all-identifiers',
    '--no-password',
    `--lock-wait-timeout=${LOCK_WAIT_MS}`,
    ...(source ? [`--encoding=${source.encoding}`] : []),
    `--dbname=${conninfo(access.connection, access.caFile)}`,
  ],
  env: environmentOf(access, DUMP_SETTINGS),
});

/** psql reading stdin: stops at the first error, all in one transaction. */
export const restoreCommand = (access: DatabaseAccess, tools: ClientTools): ToolCommand => ({
  binary: programOf(tools, 'psql'),
  args: [
    '--no-psqlrc',
    '--quiet',
    '--no-password',
    '--set=ON_ERROR_STOP=1',
    '--single-transaction',
    '--file=-',
    `--dbname=${conninfo(access.connection, access.caFile)}`,
  ],
  env: environmentOf(access, RESTORE_SETTINGS),
});
