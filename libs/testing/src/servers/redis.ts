import { randomBytes } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../ports.js';
import { tempDir } from '../temp-dir.js';
import { guardRedis } from './redis-guard.js';
import { spawnServer, waitUntilReady, type ServerProcess } from './server-process.js';
import { giveToUnprivileged, unprivileged } from './unprivileged.js';

const START_TIMEOUT_MS = 20_000;
const PORT_ATTEMPTS = 5;

export interface RedisOptions {
  /** Append-only file on, as in production. Default true: a killed Redis comes back with its data. */
  readonly persist?: boolean;
  /** Extra lines of redis.conf, such as { 'maxmemory-policy': 'allkeys-lru' }. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PrivateRedis {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly password: string;
  /** redis:// URL with the password. */
  readonly url: string;
  readonly logPath: string;
  pid(): number;
  /** SIGKILL; the append-only file stays. */
  kill(): Promise<void>;
  /** Ends it when it runs, and starts it again on the same port. `loseData` removes its files in between. */
  restart(options?: { loseData?: boolean }): Promise<void>;
  /** CONFIG SET on the running server; a restart forgets it. */
  configure(setting: string, value: string): Promise<void>;
  /** Gives a folder of its data that a test has replaced, and the files in it, to the user it runs as. */
  giveFiles(folder: string): Promise<void>;
  /** Ends it and removes its data. May run twice. */
  stop(): Promise<void>;
}

interface Home {
  readonly path: string;
  readonly configPath: string;
  readonly dataDir: string;
  readonly logPath: string;
  readonly password: string;
}

function configText(home: Home, port: number, options: RedisOptions): string {
  const settings: Record<string, string> = {
    bind: '127.0.0.1',
    port: String(port),
    // In the file, not in argv: the canary scan reads every process's argv.
    requirepass: home.password,
    dir: home.path,
    save: '""',
    appendonly: options.persist === false ? 'no' : 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    ...options.settings,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}

async function configure(url: string, setting: string, value: string): Promise<void> {
  const client = new Redis(url);
  try {
    await client.config('SET', setting, value);
  } finally {
    client.disconnect();
  }
}

async function giveFiles(folder: string): Promise<void> {
  for (const name of ['', ...(await readdir(folder))]) await giveToUnprivileged(join(folder, name));
}

function answersPing(port: number, password: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    let reply = '';
    socket.setTimeout(2_000, () => socket.destroy(new Error('no answer to PING')));
    socket.once('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on('data', (bytes) => {
      reply += bytes.toString('latin1');
      if (reply.includes('+PONG')) socket.end();
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(reply.includes('+PONG')));
  });
}

async function startOn(home: Home, port: number, options: RedisOptions): Promise<ServerProcess> {
  await writeFile(home.configPath, configText(home, port, options), { mode: 0o600 });
  await giveToUnprivileged(home.configPath);
  const server = spawnServer(unprivileged('redis-server', [home.configPath], 'TERM'), { cwd: home.path, logPath: home.logPath });
  const ready = { name: `Redis on port ${port}`, logPath: home.logPath, timeoutMs: START_TIMEOUT_MS };
  await waitUntilReady(server, () => answersPing(port, home.password), ready);
  return server;
}

async function startOnFreePort(home: Home, options: RedisOptions): Promise<{ port: number; server: ServerProcess }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return { port, server: await startOn(home, port, options) };
    } catch (error) {
      if (attempt === PORT_ATTEMPTS || !String(error).includes('Address already in use')) throw error;
    }
  }
}

/** A real Redis of its own, on 127.0.0.1 and a free port, with a password, noeviction, run unprivileged. Ends with this process at the latest. */
export async function startRedis(options: RedisOptions = {}): Promise<PrivateRedis> {
  const folder = await tempDir('rahatback-redis-');
  await giveToUnprivileged(folder.path);
  const { path } = folder;
  const password = randomBytes(18).toString('hex');
  const home: Home = {
    path,
    password,
    configPath: join(path, 'redis.conf'),
    dataDir: join(path, 'appendonlydir'),
    logPath: join(path, 'server.log'),
  };
  const started = await startOnFreePort(home, options);
  const { port } = started;
  let { server } = started;
  const url = `redis://:${password}@127.0.0.1:${port}`;
  const guard = guardRedis(url);
  await guard.attach();
  return {
    host: '127.0.0.1',
    port,
    password,
    url,
    logPath: home.logPath,
    pid: () => (server.hasEnded() ? 0 : server.pid),
    kill: () => server.kill(),
    configure: (setting, value) => configure(url, setting, value),
    giveFiles,
    async restart({ loseData = false } = {}) {
      await server.end('SIGTERM');
      if (loseData) await rm(home.dataDir, { recursive: true, force: true });
      server = await startOn(home, port, options);
      await guard.attach();
    },
    async stop() {
      if (!server.hasEnded()) await guard.finish();
      await server.end('SIGTERM');
      await folder.remove();
    },
  };
}
