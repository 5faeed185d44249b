import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { parseNetwork } from '../outbound/address-rules.js';
import type { AppConfig } from './app-config.js';

export interface ConfigVariable<T> {
  readonly env: string;
  readonly about: string;
  /** Goes to .env.example; commented out there when the variable has a default. */
  readonly example: string;
  readonly required: boolean;
  readonly schema: z.ZodType<T, string | undefined>;
}

const integer = (min: number, max: number, fallback: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .default(String(fallback))
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));

const url = (...protocols: string[]) =>
  z.string('is missing').refine(
    (value) => {
      try {
        return protocols.includes(new URL(value).protocol);
      } catch {
        return false;
      }
    },
    `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  );

const list = z
  .string()
  .default('')
  .transform((value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );

const origins = list.refine(
  (values) =>
    values.every((value) => {
      try {
        return new URL(value).origin === value;
      } catch {
        return false;
      }
    }),
  'must be origins such as https://backup.example.com, separated by commas',
);

const networks = list.refine((values) => {
  try {
    return values.map(parseNetwork).length === values.length;
  } catch {
    return false;
  }
}, 'must be addresses or networks such as 10.0.0.0/8 or fd00::/8, separated by commas');

const folder = z.string('is missing').refine(isAbsolute, 'must be an absolute path');

const required = <T>(
  env: string,
  example: string,
  about: string,
  schema: z.ZodType<T, string | undefined>,
): ConfigVariable<T> => ({
  env,
  example,
  about,
  schema,
  required: true,
});
const optional = <T>(
  env: string,
  example: string,
  about: string,
  schema: z.ZodType<T, string | undefined>,
): ConfigVariable<T> => ({
  env,
  example,
  about,
  schema,
  required: false,
});

/** The one list of settings: `.env.example` and the check at start are both made from it. */
export const CONFIG_VARIABLES: { readonly [K in keyof AppConfig]: ConfigVariable<AppConfig[K]> } = {
  host: optional('HOST', '127.0.0.1', 'Address to listen on.', z.string().min(1).default('127.0.0.1')),
  port: optional('PORT', '3000', 'Port to listen on; 0 picks a free one.', integer(0, 65_535, 3000)),
  publicUrl: optional(
    'PUBLIC_URL',
    'http://127.0.0.1:3000',
    'The address that browsers and agents use.',
    url('http:', 'https:').default('http://127.0.0.1:3000'),
  ),
  allowedOrigins: optional(
    'ALLOWED_ORIGINS',
    '',
    'More origins whose pages may call the API, separated by commas. The origin of PUBLIC_URL is always allowed.',
    origins,
  ),
  trustProxy: optional(
    'TRUST_PROXY',
    '',
    'Addresses or networks of your proxies, separated by commas; X-Forwarded-For is believed from these only.',
    list,
  ),
  outboundAllow: optional(
    'OUTBOUND_ALLOW',
    '',
    'Private addresses or networks that storages of people may lie in, such as 10.0.0.0/8, separated by commas. Public ones always may.',
    networks,
  ),
  databaseUrl: required(
    'DATABASE_URL',
    'postgres://rahatback_app:change-me@127.0.0.1:5432/rahatback',
    'PostgreSQL as the application role, which owns nothing.',
    url('postgres:', 'postgresql:'),
  ),
  databaseOwnerUrl: optional(
    'DATABASE_OWNER_URL',
    'postgres://rahatback_owner:change-me@127.0.0.1:5432/rahatback',
    'PostgreSQL as the owner of the schema. Only the migrate entry reads it.',
    url('postgres:', 'postgresql:').optional(),
  ),
  databaseAppRole: optional(
    'DATABASE_APP_ROLE',
    'rahatback_app',
    'The application role that migrate grants rights to.',
    z
      .string()
      .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'must be a plain lower-case role name')
      .default('rahatback_app'),
  ),
  databasePoolSize: optional('DATABASE_POOL_SIZE', '10', 'Connections to PostgreSQL per process.', integer(2, 200, 10)),
  redisUrl: required('REDIS_URL', 'redis://127.0.0.1:6379', 'Redis with maxmemory-policy noeviction.', url('redis:', 'rediss:')),
  keysDir: required('KEYS_DIR', '/var/lib/rahatback/keys', 'Folder of the server keys, 0700. Back it up.', folder),
  storageRoot: required('STORAGE_ROOT', '/var/lib/rahatback/storage', 'Folder below which `local` storages lie.', folder),
  logLevel: optional(
    'LOG_LEVEL',
    'info',
    'fatal, error, warn, info, debug, trace or silent.',
    z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  ),
  requestsPerMinute: optional(
    'REQUESTS_PER_MINUTE',
    '6000',
    'Requests per address, route and minute.',
    integer(1, 1_000_000, 6000),
  ),
  socketsPerAddress: optional(
    'SOCKETS_PER_ADDRESS',
    '500',
    'Open sockets per address and process: agents and pages behind one router count together.',
    integer(1, 100_000, 500),
  ),
  socketsPerPerson: optional(
    'SOCKETS_PER_PERSON',
    '20',
    'Pages of one person that listen at once, per process.',
    integer(1, 10_000, 20),
  ),
  registrationsPerHour: optional('REGISTRATIONS_PER_HOUR', '20', 'Sign-ups per address and hour.', integer(1, 1_000_000, 20)),
  accessTokenMinutes: optional('ACCESS_TOKEN_MINUTES', '15', 'Life of an access token.', integer(1, 60, 15)),
  refreshTokenDays: optional('REFRESH_TOKEN_DAYS', '30', 'Life of a log-in, however often it is refreshed.', integer(1, 365, 30)),
  heartbeatIntervalMs: optional('HEARTBEAT_INTERVAL_MS', '15000', 'How often agents report.', integer(100, 600_000, 15_000)),
  agentOfflineAfterMs: optional(
    'AGENT_OFFLINE_AFTER_MS',
    '45000',
    'An agent that was silent so long is offline.',
    integer(200, 3_600_000, 45_000),
  ),
  leaseMs: optional('LEASE_MS', '900000', 'How long work may go on without a sign of life.', integer(1000, 86_400_000, 900_000)),
  watchdogIntervalMs: optional('WATCHDOG_INTERVAL_MS', '5000', 'How often lost work is looked for.', integer(100, 600_000, 5000)),
  outboxIntervalMs: optional(
    'OUTBOX_INTERVAL_MS',
    '5000',
    'How often unsent commands are looked for.',
    integer(100, 600_000, 5000),
  ),
  uploadUrlSeconds: optional('UPLOAD_URL_SECONDS', '3600', 'Life of a signed upload address.', integer(10, 3600, 3600)),
  enrolCodeMinutes: optional('ENROL_CODE_MINUTES', '15', 'Life of an enrolment code.', integer(1, 60, 15)),
  faultSpec: optional(
    'FAULT',
    '',
    'Tests only: <crash point>:<nth> kills this process there.',
    z
      .string()
      .regex(/^([a-z0-9_.]+:\d+)?$/, 'must be <crash point>:<nth>')
      .optional()
      .transform((value) => (value === '' ? undefined : value)),
  ),
};
