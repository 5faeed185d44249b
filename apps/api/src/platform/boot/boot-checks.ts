import { AppError } from '@rahatback/contracts';
import { Redis } from 'ioredis';
import pg from 'pg';
import { setTimeout as delay } from 'node:timers/promises';
import type { AppConfig } from '../config/app-config.js';
import { assertSchema } from '../database/schema-check.js';
import type { Migrations } from '../database/schema-check.js';
import { checkServerKeys } from '../keys/check-server-keys.js';
import { redisOptions } from '../queues/redis-options.js';
import { evictionPolicyOf } from '../queues/redis-policy-watch.js';

const MIN_POSTGRES = 130_000;
const MAX_CLOCK_DIFFERENCE_MS = 60_000;
const SERVERS_WAIT_MS = 15_000;

export interface BootCheckOptions extends Pick<AppConfig, 'databaseUrl' | 'redisUrl'> {
  /** Checked when given: the keys must be those of the database. */
  readonly keysDir?: string;
  readonly migrations: Migrations;
  readonly now?: () => number;
}

/**
 * What must be true before a process serves: it is better not to start than to lose work later.
 * @throws AppError BOOT_CHECK_*, or UNAVAILABLE when PostgreSQL or Redis does not answer within 15 s
 */
export async function runBootChecks(options: BootCheckOptions): Promise<void> {
  const { redisUrl } = options;
  const deadline = performance.now() + SERVERS_WAIT_MS;
  await eventually('PostgreSQL at DATABASE_URL', deadline, () => checkPostgres(options));
  await eventually('Redis at REDIS_URL', deadline, () => checkRedis(redisUrl));
}

/** Servers that start together with us get a little time; a finding of a check is final at once. */
async function eventually(name: string, deadline: number, check: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (error instanceof AppError) throw error;
      if (performance.now() >= deadline) {
        const code = (error as { code?: unknown }).code;
        throw new AppError(
          'UNAVAILABLE',
          `${name} does not answer${typeof code === 'string' ? ` (${code})` : ''}. Start it, or correct the address.`,
        );
      }
    }
    await delay(250);
  }
}

async function checkPostgres({ databaseUrl, migrations, keysDir, now = Date.now }: BootCheckOptions): Promise<void> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 5000,
    application_name: 'rahatback boot check',
  });
  client.on('error', () => undefined); // a cut while we close; a query in progress rejects by itself
  await client.connect();
  try {
    const { rows } = await client.query<{
      version: number;
      version_text: string;
      clock: string;
      above_rls: boolean;
      owns: boolean;
      role: string;
    }>(
      `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
              (extract(epoch FROM clock_timestamp()) * 1000)::text AS clock, current_user AS role,
              (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS above_rls,
              EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user) AS owns`,
    );
    const state = rows[0];
    if (!state) throw new Error('PostgreSQL gave no answer.');
    assertPostgresVersion(state.version, state.version_text);
    assertClock(Number(state.clock) - now());
    await assertSchema(client, migrations);
    if (state.above_rls || state.owns) {
      throw new AppError(
        'BOOT_CHECK_SCHEMA',
        `The role ${state.role} of DATABASE_URL owns tables or is above row-level security. Use the plain role that migrate granted rights to.`,
      );
    }
    if (keysDir !== undefined) await checkServerKeys(client, keysDir);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** @throws AppError BOOT_CHECK_POSTGRES_VERSION below 13. `version` as in server_version_num. */
export function assertPostgresVersion(version: number, text: string): void {
  if (version >= MIN_POSTGRES) return;
  throw new AppError('BOOT_CHECK_POSTGRES_VERSION', `PostgreSQL ${text} is too old. Upgrade it to 13 or newer.`);
}

/** @throws AppError BOOT_CHECK_CLOCK when ours and PostgreSQL's clocks are more than 60 s apart: leases and tokens would be wrong. */
export function assertClock(differenceMs: number): void {
  if (Math.abs(differenceMs) <= MAX_CLOCK_DIFFERENCE_MS) return;
  const seconds = Math.round(Math.abs(differenceMs) / 1000);
  throw new AppError(
    'BOOT_CHECK_CLOCK',
    `This machine's clock and PostgreSQL's are ${seconds} s apart. Synchronise both with NTP, e.g. timedatectl set-ntp true.`,
  );
}

async function checkRedis(url: string): Promise<void> {
  const client = new Redis({ ...redisOptions(url), lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined); // connect() rejects with it
  try {
    await client.connect();
    const memory = await client.info('memory');
    const policy = evictionPolicyOf(memory);
    if (policy !== 'noeviction') {
      throw new AppError(
        'BOOT_CHECK_REDIS_POLICY',
        `Redis may drop queued work (maxmemory-policy ${policy ?? 'unknown'}). Run: redis-cli CONFIG SET maxmemory-policy noeviction, and set it in redis.conf.`,
      );
    }
  } finally {
    client.disconnect();
  }
}
