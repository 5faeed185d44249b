import { AppError } from '@rahatback/contracts';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { quoteIdentifier } from '../../dump/copy-target.js';
import type { DumpFacts } from '../../dump/dump-facts.js';
import { spawnTool, type RunningTool, type ToolCommand } from '../../process/spawn-tool.js';
import type { ClientTools, DatabaseAccess } from '../database-engine.js';
import type { ThrowawayPreparation, ThrowawayRequest, ThrowawayServer } from '../throwaway-server.js';
import { MAINTENANCE_DATABASE, rowsOf, withClient } from './pg-client.js';
import { findServerPrograms, prefixOf, serverProgram, type ServerPrograms } from './pg-server-programs.js';
import { chooseTools } from './pg-tools.js';
import { makeThrowawayFolder, neededBytesFor, removeThrowawayFolder, roomIn, type ThrowawayFolder } from './throwaway-folder.js';
import { chooseIsolation, giveToUnprivileged, unprivilegedUid, type Isolation } from './throwaway-isolation.js';
import { killSurvivors, THROWAWAY_MARK } from './throwaway-survivors.js';
import { restoreTrouble } from './throwaway-trouble.js';

const STOP_ATTEMPTS = 20;
const STOP_PAUSE_MS = 100;
const SUPERUSER = 'postgres';
const PORT = 5432;
const START_TIMEOUT_MS = 60_000;
const INIT_TIMEOUT_MS = 120_000;
const MAX_CONNECTIONS = 10;
/** One transaction makes everything, and holds a lock on all of it. */
const LOCKS_PER_OBJECT = 4;
const ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' };

const majorOf = (serverVersion: string): number => Number.parseInt(serverVersion, 10);

interface Place {
  readonly folder: ThrowawayFolder;
  readonly programs: ServerPrograms;
  readonly isolation: Isolation;
}

const dataDirOf = ({ folder }: Place): string => join(folder.path, 'data');
const socketDirOf = ({ folder }: Place): string => join(folder.path, 's');

/** Nothing of it outlives the verification: no durability. Nothing of it is reached from outside: no address. */
function settingsOf(place: Place, { objects }: DumpFacts): Record<string, string> {
  return {
    listen_addresses: '',
    unix_socket_directories: socketDirOf(place),
    unix_socket_permissions: '0700',
    port: String(PORT),
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'off',
    wal_level: 'minimal',
    max_wal_senders: '0',
    max_wal_size: '256MB',
    checkpoint_timeout: '1h',
    autovacuum: 'off',
    max_connections: String(MAX_CONNECTIONS),
    shared_buffers: '64MB',
    maintenance_work_mem: '128MB',
    max_locks_per_transaction: String(Math.max(256, Math.ceil((objects.length * LOCKS_PER_OBJECT) / MAX_CONNECTIONS))),
    dynamic_shared_memory_type: 'mmap',
    logging_collector: 'off',
    log_timezone: 'UTC',
    shared_preload_libraries: '',
  };
}

function serverCommand(place: Place, facts: DumpFacts): ToolCommand {
  const settings = Object.entries(settingsOf(place, facts)).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const env = { ...ENVIRONMENT, [THROWAWAY_MARK]: place.folder.path };
  return { binary: serverProgram(place.programs, 'postgres'), args: ['-D', dataDirOf(place), ...settings], env };
}

const startFailure = (what: string, said: string): AppError => {
  if (restoreTrouble(said).kind === 'no room')
    return new AppError(
      'NO_SPACE',
      `The disk is full: ${what} said ${said.trim().slice(-300)}. Free some space, or verify at level DATABASE.`,
    );
  return new AppError(
    'UNAVAILABLE',
    `The throw-away server could not be made: ${what} said ${said.trim().slice(-500) || 'nothing'}.`,
  );
};

async function initCluster(place: Place, password: string, signal: AbortSignal): Promise<void> {
  const passwordFile = join(place.folder.path, 'superuser');
  await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' });
  await giveToUnprivileged(passwordFile);
  const auth = ['--auth=scram-sha-256', `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`];
  const args = ['-D', dataDirOf(place), ...auth, '--encoding=UTF8', '--locale=C', '--no-sync'];
  const command = place.isolation.wrap({ binary: serverProgram(place.programs, 'initdb'), args, env: ENVIRONMENT });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(INIT_TIMEOUT_MS)]);
  const tool = await spawnTool(command, { signal: limit, secrets: [password] });
  tool.stdin.end();
  tool.stdout.resume();
  const { code } = await tool.exit;
  signal.throwIfAborted();
  if (code !== 0) throw startFailure('initdb', tool.errorTail());
  await rm(passwordFile, { force: true });
}

async function waitUntilReady(tool: RunningTool, access: DatabaseAccess, signal: AbortSignal): Promise<string> {
  let ended = false;
  const stopWaiting = new AbortController();
  tool.exit
    .then(() => {
      ended = true;
      stopWaiting.abort();
    })
    .catch(() => undefined);
  const until = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    signal.throwIfAborted();
    if (ended || performance.now() > until) throw startFailure('postgres', tool.errorTail());
    try {
      return await withClient(access, {}, async (client) => (await rowsOf(client, 'SHOW server_version'))[0]?.[0] ?? '');
    } catch {
      await sleep(50, undefined, { signal: stopWaiting.signal }).catch(() => undefined);
    }
  }
}

/** Superusers, since the source's owners may have been: what they were is not in the dump. None of them can log in. */
function prepare(access: DatabaseAccess, { roles, extensions }: DumpFacts): Promise<ThrowawayPreparation> {
  return withClient(access, { statementFailure: 'UNAVAILABLE' }, async (client) => {
    const there = new Set((await rowsOf(client, 'SELECT rolname FROM pg_catalog.pg_roles')).map(([name]) => name));
    const wanted = roles.filter((role) => !there.has(role));
    for (const role of wanted) await client.query(`CREATE ROLE ${quoteIdentifier(role)} SUPERUSER NOLOGIN`);
    const available = new Set(
      (await rowsOf(client, 'SELECT name FROM pg_catalog.pg_available_extensions')).map(([name]) => name),
    );
    return { rolesCreated: wanted.length, missingExtensions: extensions.filter((name) => !available.has(name)) };
  });
}

/** psql of the server's own version where it lies beside it, else as for any restore. */
function toolsFor({ programs }: Place, tools: readonly ClientTools[]): ClientTools {
  const beside = tools.find(({ folder }) => folder === programs.folder);
  return beside ?? chooseTools({ serverMajor: programs.major, serverVersion: programs.version }, tools);
}

async function placeFor(request: ThrowawayRequest, folder: ThrowawayFolder, programs: ServerPrograms): Promise<Place> {
  const folders = [programs.folder, ...request.tools.map((tools) => tools.folder)];
  const prefixes = [...new Set(folders.map(prefixOf).filter((prefix) => prefix !== null))];
  const probe = { binary: serverProgram(programs, 'postgres'), args: ['--version'], env: ENVIRONMENT };
  return { folder, programs, isolation: await chooseIsolation(request.isolations, { folder: folder.path, prefixes }, probe) };
}

async function startIn(place: Place, request: ThrowawayRequest): Promise<ThrowawayServer> {
  const { signal, onSpawn, facts } = request;
  const tools = toolsFor(place, request.tools);
  const password = randomBytes(24).toString('base64url');
  await mkdir(socketDirOf(place), { mode: 0o700 });
  await giveToUnprivileged(socketDirOf(place));
  await chmod(place.folder.path, 0o700);
  await initCluster(place, password, signal);
  const command = place.isolation.wrap(serverCommand(place, facts));
  const tool = await spawnTool(command, { signal, secrets: [password], ...(onSpawn ? { onSpawn } : {}) });
  tool.stdin.end();
  tool.stdout.resume();
  const access: DatabaseAccess = {
    connection: {
      type: 'postgresql',
      host: socketDirOf(place),
      port: PORT,
      username: SUPERUSER,
      database: MAINTENANCE_DATABASE,
      tlsMode: 'disable',
      tlsCa: null,
      passwordRef: null,
    },
    password,
  };
  try {
    return serverOf(place, { tool, access, tools, serverVersion: await waitUntilReady(tool, access, signal) });
  } catch (error) {
    await tool.kill();
    throw error;
  }
}

interface Running {
  readonly tool: RunningTool;
  readonly access: DatabaseAccess;
  readonly tools: ClientTools;
  readonly serverVersion: string;
}

function serverOf(place: Place, { tool, access, tools, serverVersion }: Running): ThrowawayServer {
  const { folder, isolation } = place;
  let ended = false;
  tool.exit.then(() => (ended = true)).catch(() => undefined);
  return {
    access,
    serverVersion,
    tools,
    evidence: {
      serverVersion,
      isolation: isolation.kind,
      isolationMeans: isolation.description,
      uid: unprivilegedUid(),
      neededBytes: folder.neededBytes,
      freeBytes: folder.freeBytes,
    },
    sandboxed: (command) => isolation.wrap(command),
    prepare: (facts) => prepare(access, facts),
    hasEnded: () => ended,
    roomBytes: () => roomIn(folder.path),
    stop: async () => {
      await tool.kill();
      for (let attempt = 1; attempt <= STOP_ATTEMPTS; attempt += 1) {
        if (!isolation.ownProcesses) killSurvivors(folder.path);
        if (await removeThrowawayFolder(folder.path, isolation.ownProcesses)) return;
        // Killed programs may write for a moment more.
        await sleep(STOP_PAUSE_MS);
      }
      throw new AppError('INTERNAL', `${folder.path} of the throw-away server could not be removed. Remove it by hand.`);
    },
  };
}

/**
 * A PostgreSQL server of the dump's major for one verification: unprivileged, without network, in a folder of its own, which only the agent can
 * reach. It ends with this program at the latest.
 * @throws AppError SERVER_BINARIES_MISSING, NO_SPACE, TOOL_MISSING, TOOL_VERSION, UNAVAILABLE: none says anything about the backup
 */
export async function startThrowaway(request: ThrowawayRequest): Promise<ThrowawayServer> {
  const programs = await findServerPrograms(majorOf(request.serverVersion), request.search);
  const neededBytes = neededBytesFor(request.dumpBytes, request.facts);
  const folder = await makeThrowawayFolder(request.workDirs, request.verificationId, neededBytes);
  let place: Place | null = null;
  try {
    place = await placeFor(request, folder, programs);
    return await startIn(place, request);
  } catch (error) {
    await removeThrowawayFolder(folder.path, place?.isolation.ownProcesses ?? true);
    throw error;
  }
}
