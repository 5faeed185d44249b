import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { testSecret } from '../canary/test-secret.js';
import { freePort } from '../ports.js';
import { tempDir } from '../temp-dir.js';
import { findPostgres, type PostgresBinaries } from './postgres-binaries.js';
import { spawnServer, waitUntilReady, type ServerProcess } from './server-process.js';
import { giveToUnprivileged, unprivileged } from './unprivileged.js';

const START_TIMEOUT_MS = 30_000;
const PORT_ATTEMPTS = 5;

export interface PostgresOptions {
  /** Major version, also one of `availableMajors`. Default: that of the newest installed client tools. */
  readonly version?: number;
  /** Extra environment of the server, such as TZ. */
  readonly env?: NodeJS.ProcessEnv;
  /** fsync and full-page writes on: for tests that cut the power. Default false. */
  readonly durable?: boolean;
  /** Server settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Folder that keeps its data and log, such as one on a small disk. It stays when the server is stopped. Default: a temporary one. */
  readonly home?: string;
}

export interface PrivatePostgres {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly major: number;
  readonly superuser: string;
  /** The superuser's password (scram-sha-256). */
  readonly password: string;
  readonly dataDir: string;
  readonly logPath: string;
  /** The postmaster's process id; 0 while stopped. */
  pid(): number;
  /** Connection string of the superuser (default database: postgres). @throws Error for the few names that pg's own parser cannot take */
  url(database?: string): string;
  /** The superuser's connection as environment of psql, pg_dump and the like: a password never belongs on a command line. */
  toolEnv(database?: string): Record<string, string>;
  /** Creates a database from template0 (UTF-8) and returns its name. */
  createDatabase(name?: string): Promise<string>;
  /** Runs one statement as the superuser. Text results, one array per row. */
  query(sql: string, options?: { database?: string; values?: unknown[] }): Promise<unknown[][]>;
  /** Starts it again on the same port and data, after `halt` or `kill`. */
  start(): Promise<void>;
  /** Fast shutdown; the data stays. */
  halt(): Promise<void>;
  /** SIGKILL to the postmaster and all backends; the data stays as after a crash. */
  kill(): Promise<void>;
  /** Shuts down at once and removes the data. May run twice. */
  stop(): Promise<void>;
}

interface Cluster {
  readonly binaries: PostgresBinaries;
  readonly dataDir: string;
  readonly logPath: string;
  readonly home: string;
  readonly password: string;
}

const SUPERUSER = 'postgres';
const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** pg's parser undoes percent signs as decodeURI does: these characters must stand as they are, and `?` and `#` cannot be said at all. */
const PLAIN_IN_PG_URL = /%(?:3B|2F|3A|40|26|3D|2B|24|2C)/g;

function pgUrl(port: number, password: string, database: string): string {
  const path = encodeURIComponent(database).replaceAll(PLAIN_IN_PG_URL, decodeURIComponent);
  if (/[?#]|(^|\/)\.{1,2}(\/|$)/.test(database))
    throw new Error(`No URL of pg can name the database ${database}: connect with host, port and password.`);
  return `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/${path}`;
}

const clientOf = (port: number, password: string, database: string): Client =>
  new Client({ host: '127.0.0.1', port, user: SUPERUSER, password, database, connectionTimeoutMillis: 5_000 });

async function initCluster(binaries: PostgresBinaries, home: string): Promise<Cluster> {
  await giveToUnprivileged(home);
  const password = testSecret('superuser', { fresh: true });
  const passwordFile = join(home, 'superuser-password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  await giveToUnprivileged(passwordFile);
  const dataDir = join(home, 'data');
  const auth = ['--auth=scram-sha-256', '--username', SUPERUSER, '--pwfile', passwordFile];
  const args = ['-D', dataDir, ...auth, '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync'];
  const initdb = unprivileged(join(binaries.binDir, 'initdb'), args);
  const made = spawnSync(initdb.binary, [...initdb.args], { cwd: home, encoding: 'utf8', env: { PATH: process.env.PATH } });
  if (made.status !== 0) throw new Error(`initdb failed (${made.status ?? made.signal}): ${made.stderr}`);
  await rm(passwordFile);
  return { binaries, dataDir, logPath: join(home, 'server.log'), home, password };
}

function serverArgs(cluster: Cluster, port: number, options: PostgresOptions): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '64MB',
    log_timezone: 'UTC',
    timezone: 'UTC',
    ...(options.durable ? {} : { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }),
    ...options.settings,
  };
  return ['-D', cluster.dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

async function answers(client: Client): Promise<boolean> {
  // pg emits an error on a socket that the server cuts while we close it.
  client.on('error', () => undefined);
  await client.connect();
  await client.end();
  return true;
}

async function startCluster(cluster: Cluster, port: number, options: PostgresOptions): Promise<ServerProcess> {
  const command = unprivileged(join(cluster.binaries.binDir, 'postgres'), serverArgs(cluster, port, options), 'QUIT');
  const server = spawnServer(command, { cwd: cluster.home, logPath: cluster.logPath, env: options.env });
  await waitUntilReady(server, () => answers(clientOf(port, cluster.password, 'postgres')), {
    name: `PostgreSQL ${cluster.binaries.major} on port ${port}`,
    logPath: cluster.logPath,
    timeoutMs: START_TIMEOUT_MS,
  });
  return server;
}

async function startOnFreePort(cluster: Cluster, options: PostgresOptions): Promise<{ port: number; server: ServerProcess }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return { port, server: await startCluster(cluster, port, options) };
    } catch (error) {
      if (attempt === PORT_ATTEMPTS || !String(error).includes('Address already in use')) throw error;
    }
  }
}

async function runQuery(client: Client, sql: string, values: unknown[]): Promise<unknown[][]> {
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: sql, values, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

/**
 * A real PostgreSQL of its own, on 127.0.0.1 and a free port, data in a temporary folder, run unprivileged. Takes about a second.
 * It ends with this process at the latest; `stop` also removes its data.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PrivatePostgres> {
  const binaries = findPostgres(options.version);
  const home = options.home ? { path: options.home, remove: () => Promise.resolve() } : await tempDir('rahatback-pg-');
  const cluster = await initCluster(binaries, home.path);
  const started = await startOnFreePort(cluster, options);
  const { port } = started;
  let { server } = started;
  const client = (database = 'postgres'): Client => clientOf(port, cluster.password, database);
  return {
    host: '127.0.0.1',
    port,
    major: binaries.major,
    superuser: SUPERUSER,
    password: cluster.password,
    dataDir: cluster.dataDir,
    logPath: cluster.logPath,
    pid: () => (server.hasEnded() ? 0 : server.pid),
    url: (database = 'postgres') => pgUrl(port, cluster.password, database),
    query: (sql, { database, values = [] } = {}) => runQuery(client(database), sql, values),
    toolEnv: (database = 'postgres') => ({
      PATH: process.env.PATH ?? '',
      PGHOST: '127.0.0.1',
      PGPORT: String(port),
      PGUSER: SUPERUSER,
      PGPASSWORD: cluster.password,
      PGDATABASE: database,
    }),
    async createDatabase(name = `test_${randomBytes(6).toString('hex')}`) {
      await runQuery(client(), `CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0`, []);
      return name;
    },
    async start() {
      if (server.hasEnded()) server = await startCluster(cluster, port, options);
    },
    halt: () => server.end('SIGINT'),
    kill: () => server.kill(),
    async stop() {
      await server.end('SIGQUIT');
      await home.remove();
    },
  };
}
