import { AppError, type PreflightFinding, type PreflightSubject } from '@rahatback/contracts';
import type { Client } from 'pg';
import type { DumpFacts } from '../../dump/dump-facts.js';
import { unknownSelection } from '../../dump/selection-plan.js';
import type { DatabaseAccess, PreflightRequest } from '../database-engine.js';
import { MAINTENANCE_DATABASE, rowsOf, withClient } from './pg-client.js';
import { assertNoDowngrade } from './pg-downgrade.js';
import { encodingFindings } from './pg-preflight-locale.js';
import { extensionFindings, privilegeFinding, readRights, roleFindings } from './pg-preflight-rights.js';
import { spaceFinding } from './pg-preflight-space.js';
import { readDatabases } from './pg-swap-marks.js';
import { assertNothingBound, sessionGroups, sessionWords } from './pg-swap-sessions.js';
import { chooseTools } from './pg-tools.js';

const MAX_NAME_BYTES = 63;
const NAMED = 10;

const finding = (
  subject: PreflightSubject,
  severity: PreflightFinding['severity'],
  message: string,
  details?: Readonly<Record<string, unknown>>,
): PreflightFinding => ({ subject, severity, message, ...(details ? { details } : {}) });

/** An AppError as the blocker that it is. @throws any other error */
function blocker(subject: PreflightSubject, error: unknown): PreflightFinding {
  if (!(error instanceof AppError)) throw error;
  return finding(subject, 'blocker', error.message, { code: error.code, ...error.details });
}

interface Server {
  readonly client: Client;
  readonly access: DatabaseAccess;
  readonly major: number;
  readonly version: string;
}

/**
 * Everything that a restore, and the swap after it, will need of the server, each with its verdict; makes nothing. A server that cannot be reached
 * is a finding, no error. May run at any time and again.
 */
export async function examine(access: DatabaseAccess, request: PreflightRequest): Promise<readonly PreflightFinding[]> {
  const selection = request.facts ? selectionFindings(request, request.facts) : [];
  const startedAt = performance.now();
  try {
    return await withClient(access, { database: MAINTENANCE_DATABASE }, async (client) => {
      const [[number, version] = []] = await rowsOf(
        client,
        "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.current_setting('server_version')",
      );
      const server = { client, access, major: Math.floor(Number(number) / 10_000), version: (version ?? '').split(' ')[0] ?? '' };
      const connection = `PostgreSQL ${server.version} answers in ${Math.round(performance.now() - startedAt)} ms.`;
      return [finding('connection', 'ok', connection), ...(await serverFindings(server, request)), ...selection];
    });
  } catch (error) {
    return [blocker('connection', error), ...selection];
  }
}

async function serverFindings(server: Server, request: PreflightRequest): Promise<readonly PreflightFinding[]> {
  const { client, major } = server;
  const { facts, liveDatabase } = request;
  const rights = await readRights(client);
  return [
    toolFinding(server, request),
    await privilegeFinding(client, rights, liveDatabase),
    await targetFinding(client, request),
    ...(liveDatabase === null ? [] : await sessionFindings(client, liveDatabase)),
    ...(facts === null
      ? []
      : [
          versionFinding(server, facts),
          ...(await encodingFindings(client, facts.database, major)),
          ...(await roleFindings(client, facts, rights)),
          ...(await extensionFindings(client, facts, { rights, serverMajor: major })),
          await spaceFinding(client, { host: server.access.connection.host, source: server.access.connection.database }, facts),
        ]),
  ];
}

function toolFinding({ major, version }: Server, { tools }: PreflightRequest): PreflightFinding {
  try {
    const chosen = chooseTools({ serverMajor: major, serverVersion: version }, tools);
    return finding('tools', chosen.warning === null ? 'ok' : 'warning', chosen.warning ?? `psql ${chosen.version} is used.`);
  } catch (error) {
    return blocker('tools', error);
  }
}

function versionFinding({ major, version }: Server, facts: DumpFacts): PreflightFinding {
  try {
    assertNoDowngrade({ major, version }, facts);
    return finding('version', 'ok', `The backup of PostgreSQL ${facts.serverVersion ?? 'an unknown version'} fits ${version}.`);
  } catch (error) {
    return blocker('version', error);
  }
}

async function targetFinding(client: Client, { targetDatabase, liveDatabase }: PreflightRequest): Promise<PreflightFinding> {
  const found = await readDatabases(client, [targetDatabase, ...(liveDatabase === null ? [] : [liveDatabase])]);
  if (Buffer.byteLength(targetDatabase) > MAX_NAME_BYTES)
    return finding(
      'target',
      'blocker',
      `The name ${targetDatabase} is longer than ${MAX_NAME_BYTES} bytes: choose a shorter one.`,
    );
  if (found.has(targetDatabase))
    return finding('target', 'blocker', `There is already a database ${targetDatabase}: choose another name.`, {
      target: targetDatabase,
    });
  if (liveDatabase !== null && !found.has(liveDatabase))
    return finding('target', 'blocker', `There is no live database ${liveDatabase} that could be replaced: restore beside.`);
  return finding('target', 'ok', `The name ${targetDatabase} is free.`);
}

/** Who would be cut by a swap, and what forbids it. */
async function sessionFindings(client: Client, live: string): Promise<readonly PreflightFinding[]> {
  const database = (await readDatabases(client, [live])).get(live);
  if (!database) return [];
  const groups = await sessionGroups(client, [live]);
  const busy =
    groups.length === 0
      ? finding('sessions', 'ok', `Nobody is connected to ${live}.`)
      : finding('sessions', 'warning', `The swap will end the sessions on ${sessionWords(groups)}.`, { sessions: groups });
  try {
    await assertNothingBound(client, database);
    return [busy];
  } catch (error) {
    return [busy, blocker('sessions', error)];
  }
}

function selectionFindings({ selection }: PreflightRequest, facts: DumpFacts): readonly PreflightFinding[] {
  if (selection.length === 0) return [];
  const unknown = unknownSelection(selection, facts);
  if (unknown.length > 0)
    return [finding('selection', 'blocker', `The backup does not have ${unknown.slice(0, NAMED).join(', ')}.`, { unknown })];
  const isSelected = (schema: string, table: string): boolean =>
    selection.some((item) => item.schema === schema && (item.table === null || item.table === table));
  // The name of a constraint's entry begins with its table's.
  const tables = facts.objects.filter(({ type, schema, name }) => type === 'TABLE' && isSelected(schema, name));
  const keys = facts.objects.filter(
    ({ type, schema, name }) =>
      type === 'FK CONSTRAINT' && tables.some((table) => table.schema === schema && name.startsWith(`${table.name} `)),
  );
  if (keys.length === 0) return [finding('selection', 'ok', `${tables.length} tables are selected.`)];
  const names = keys.map(({ schema, name }) => `${schema}.${name}`);
  const shown = `${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ` and ${names.length - NAMED} more` : ''}`;
  return [
    finding(
      'selection',
      'warning',
      `${tables.length} tables are selected. Of their foreign keys (${shown}), those that point to tables outside of the selection are left out.`,
      { foreignKeys: names },
    ),
  ];
}
