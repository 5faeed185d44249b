import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import {
  freePort,
  startPostgres,
  startRedis,
  tempDir,
  testSecret,
  waitFor,
  type PostgresOptions,
  type PrivatePostgres,
  type PrivateRedis,
} from '@rahatback/testing';
import { startWatchedRelay, type FrameListener, type FrameRelay } from './frame-relay.js';
import { ProductProcess } from './product-process.js';

const APP_ROLE = 'rahatback_app';
const OWNER_ROLE = 'rahatback_owner';
const READY_TIMEOUT_MS = 60_000;

/** Folder of a workspace package, found as Node would find it. */
export function packageDir(name: string): string {
  return dirname(createRequire(join(process.cwd(), 'package.json')).resolve(`${name}/package.json`));
}

export interface ServerSideOptions {
  readonly apis?: number;
  readonly workers?: number;
  /** Extra environment of API and worker processes, such as LEASE_MS. */
  readonly env?: Readonly<Record<string, string>>;
  /** Sees every frame of every socket of a person or an agent. */
  readonly onFrame?: FrameListener;
  /** A folder that outlives the run; default: a temporary one that `stop` removes. */
  readonly home?: string;
  readonly postgres?: PostgresOptions;
  /** Puts something between the server's processes and PostgreSQL or Redis: takes the server's port, returns the one to dial. */
  readonly through?: (server: 'postgres' | 'redis', port: number) => Promise<number>;
}

export interface ServerSide {
  readonly home: string;
  readonly logDir: string;
  readonly storageRoot: string;
  readonly postgres: PrivatePostgres;
  readonly redis: PrivateRedis;
  readonly apis: readonly ProductProcess[];
  readonly workers: readonly ProductProcess[];
  /** Base URL of each API process, in the order of `apis`. */
  readonly urls: readonly string[];
  /** The first API's URL. */
  readonly url: string;
  readonly databaseName: string;
  /** Environment that all of its processes have; holds secrets. */
  readonly env: Readonly<Record<string, string>>;
  waitReady(index?: number): Promise<void>;
  stop(): Promise<void>;
}

async function makeDatabase(
  postgres: PrivatePostgres,
  dialPort: number,
): Promise<{ ownerUrl: string; appUrl: string; databaseName: string }> {
  const databaseName = 'rahatback';
  const ownerPassword = testSecret('server-owner', { fresh: true });
  const appPassword = testSecret('server-app', { fresh: true });
  await postgres.query(`CREATE ROLE ${OWNER_ROLE} LOGIN PASSWORD '${ownerPassword}'`);
  await postgres.query(`CREATE ROLE ${APP_ROLE} LOGIN PASSWORD '${appPassword}'`);
  await postgres.query(`CREATE DATABASE ${databaseName} OWNER ${OWNER_ROLE} TEMPLATE template0`);
  const url = (role: string, password: string, port: number): string =>
    `postgresql://${role}:${password}@127.0.0.1:${port}/${databaseName}`;
  const ownerUrl = url(OWNER_ROLE, ownerPassword, postgres.port);
  return { ownerUrl, appUrl: url(APP_ROLE, appPassword, dialPort), databaseName };
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) });
  return answer.ok;
}

async function migrate(entry: string, env: Readonly<Record<string, string>>, logDir: string): Promise<void> {
  const run = new ProductProcess({ name: 'migrate', entry, env, logDir });
  await run.start();
  const outcome = await run.wait();
  if (outcome?.code !== 0) throw new Error(`migrate ended with ${outcome?.code ?? outcome?.signal ?? 'nothing'}:\n${run.log()}`);
}

interface Folders {
  readonly home: string;
  readonly logDir: string;
  readonly storageRoot: string;
  readonly keysDir: string;
}

async function makeFolders(home: string): Promise<Folders> {
  const folders = { home, logDir: join(home, 'logs'), storageRoot: join(home, 'storage'), keysDir: join(home, 'keys') };
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o700 });
  return folders;
}

interface Processes {
  readonly apis: readonly ProductProcess[];
  readonly workers: readonly ProductProcess[];
  readonly urls: readonly string[];
  readonly relays: readonly FrameRelay[];
}

async function planProcesses(
  options: ServerSideOptions,
  base: Readonly<Record<string, string>>,
  logDir: string,
): Promise<Processes> {
  const dist = join(packageDir('@rahatback/api'), 'dist');
  const ports = await Promise.all(Array.from({ length: options.apis ?? 1 }, () => freePort()));
  const watched = await Promise.all(ports.map((port) => startWatchedRelay(port, options.onFrame)));
  const relays = watched.filter((relay) => relay !== undefined);
  const urls = ports.map((port, index) => watched[index]?.url ?? `http://127.0.0.1:${port}`);
  const planned = (name: string, entry: string, env: Readonly<Record<string, string>>): ProductProcess =>
    new ProductProcess({ name, entry: join(dist, entry), env: { ...base, ...env, ...options.env }, logDir });
  return {
    urls,
    relays,
    apis: ports.map((port, index) =>
      planned(`api-${index + 1}`, 'main.js', { PORT: String(port), PUBLIC_URL: urls[index] ?? '' }),
    ),
    workers: Array.from({ length: options.workers ?? 1 }, (_, index) =>
      planned(`worker-${index + 1}`, 'worker.js', { PUBLIC_URL: urls[0] ?? '' }),
    ),
  };
}

async function untilReady(process: ProductProcess | undefined, url: string): Promise<void> {
  const name = process?.name ?? 'API';
  try {
    await waitFor(() => isReady(url), { timeoutMs: READY_TIMEOUT_MS, describe: `${name} to be ready` });
  } catch (error) {
    throw new Error(`${String(error)}\nIts log ends:\n${process?.log().slice(-3000) ?? ''}`, { cause: error });
  }
}

/** The whole server side on loopback: PostgreSQL, Redis, N API and N worker processes, run from their compiled files. */
export async function startServerSide(options: ServerSideOptions = {}): Promise<ServerSide> {
  const temporary = options.home ? undefined : await tempDir('rahatback-system-');
  const { home, logDir, storageRoot, keysDir } = await makeFolders(options.home ?? temporary?.path ?? '');
  const [postgres, redis] = await Promise.all([startPostgres(options.postgres), startRedis()]);
  const postgresPort = (await options.through?.('postgres', postgres.port)) ?? postgres.port;
  const redisPort = (await options.through?.('redis', redis.port)) ?? redis.port;
  const { ownerUrl, appUrl, databaseName } = await makeDatabase(postgres, postgresPort);
  const base = {
    DATABASE_URL: appUrl,
    DATABASE_APP_ROLE: APP_ROLE,
    REDIS_URL: redis.url.replace(`:${redis.port}`, `:${redisPort}`),
    KEYS_DIR: keysDir,
    STORAGE_ROOT: storageRoot,
    OUTBOUND_ALLOW: '127.0.0.0/8,::1', // its stores are on this machine
    ...options.env,
  };
  await migrate(join(packageDir('@rahatback/api'), 'dist/migrate.js'), { ...base, DATABASE_OWNER_URL: ownerUrl }, logDir);
  const { apis, workers, urls, relays } = await planProcesses(options, base, logDir);
  const waitReady = (index = 0): Promise<void> => untilReady(apis[index], urls[index] ?? '');
  const stop = async (): Promise<void> => {
    await Promise.all([...apis, ...workers].map((process) => process.stop()));
    await Promise.all(relays.map((relay) => relay.stop()));
    await Promise.all([postgres.stop(), redis.stop()]);
    await temporary?.remove();
  };
  try {
    await Promise.all([...apis, ...workers].map((process) => process.start()));
    await Promise.all(apis.map((_, index) => waitReady(index)));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    home,
    logDir,
    storageRoot,
    postgres,
    redis,
    apis,
    workers,
    urls,
    url: urls[0] ?? '',
    databaseName,
    env: base,
    waitReady,
    stop,
  };
}
