import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { SessionAnswer } from '@rahatback/contracts';
import { CanaryRun, freePort, startRedis, tempDir, testSecret } from '@rahatback/testing';
import type { PrivateRedis } from '@rahatback/testing';
import type { DestinationStream } from 'pino';
import { createApi } from '../create-app.js';
import { AppConfig } from '../platform/config/app-config.js';
import { Database } from '../platform/database/database.js';
import { WorkerRunner } from '../platform/queues/worker-runner.js';
import type { PrivateDatabase } from './private-database.js';
import { startDatabase } from './private-database.js';
import { testConfig } from './test-config.js';
import { watchAnswers, watchFrames } from './watch-secrets.js';

export interface StartApiOptions {
  readonly config?: Partial<AppConfig>;
  /** Run the processors and sweeps in this process too. Default true. */
  readonly worker?: boolean;
  /** Servers that the test started itself; they are left running by `stop`. Keys are shared with `keysDir` in `config`. */
  readonly database?: PrivateDatabase;
  readonly redis?: PrivateRedis;
  readonly logDestination?: DestinationStream;
}

export interface Registered {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly workspaceId: string;
  readonly userId: string;
  readonly email: string;
}

export interface RunningApi {
  readonly url: string;
  readonly app: NestExpressApplication;
  readonly config: AppConfig;
  /** The application's own way to PostgreSQL. */
  readonly database: Database;
  /** PostgreSQL as superuser: for looking behind the scenes. */
  readonly postgres: PrivateDatabase;
  readonly redis: PrivateRedis;
  register(email?: string): Promise<Registered>;
  /** A request with JSON in and out; `token` is an access token. */
  call(method: string, path: string, options?: { token?: string; body?: unknown }): Promise<{ status: number; body: unknown }>;
  stop(): Promise<void>;
}

export const TEST_PASSWORD = testSecret('person-password');

/** The whole API (and worker) in this process, on a free port, with a PostgreSQL and a Redis of its own unless some are given. */
export async function startApi(options: StartApiOptions = {}): Promise<RunningApi> {
  const folder = await tempDir('rahatback-api-');
  const postgres = options.database ?? (await startDatabase());
  const redis = options.redis ?? (await startRedis({ persist: false }));
  const dirs = { keysDir: join(folder.path, 'keys'), storageRoot: join(folder.path, 'storage') };
  await mkdir(dirs.storageRoot);
  const port = options.config?.port ?? (await freePort());
  const needed = { ...dirs, databaseUrl: postgres.appUrl, redisUrl: redis.url };
  const config = testConfig(needed, { publicUrl: `http://127.0.0.1:${port}`, ...options.config, port });
  const app = await createApi({ config, ...(options.logDestination ? { logDestination: options.logDestination } : {}) });
  watchAnswers(app);
  if (options.worker !== false) {
    await app.init();
    await app.get(WorkerRunner).start();
  }
  await app.listen(port, '127.0.0.1');
  watchFrames(app);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    app,
    config,
    database: app.get(Database),
    postgres,
    redis,
    call: (method, path, request) => call(url, method, path, request),
    register: (email) => register(url, email),
    async stop() {
      await app.close();
      CanaryRun.current()?.flush();
      if (!options.redis) await redis.stop();
      if (!options.database) await postgres.postgres.stop();
      await folder.remove();
    },
  };
}

async function call(
  url: string,
  method: string,
  path: string,
  { token, body }: { token?: string; body?: unknown } = {},
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
}

async function register(url: string, email = `person-${randomBytes(6).toString('hex')}@example.com`): Promise<Registered> {
  const { status, body } = await call(url, 'POST', '/v1/auth/register', {
    body: { email, password: TEST_PASSWORD, name: 'Deniz Test' },
  });
  if (status !== 201) throw new Error(`register answered ${status}: ${JSON.stringify(body)}`);
  const { user, tokens } = body as SessionAnswer;
  return {
    accessToken: tokens.accessToken,
    refreshToken: tokens.refreshToken ?? '',
    workspaceId: user.workspaceId,
    userId: user.id,
    email,
  };
}
