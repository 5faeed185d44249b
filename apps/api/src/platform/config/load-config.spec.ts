import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_VARIABLES } from './config-variables.js';
import { renderEnvExample } from './env-example.js';
import { ConfigError, loadConfig } from './load-config.js';

const GOOD = { DATABASE_URL: 'postgres://u:p@h/d', REDIS_URL: 'redis://h:6379', KEYS_DIR: '/k', STORAGE_ROOT: '/s' };

const linesOf = (environment: Record<string, string>): readonly string[] => {
  try {
    loadConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
  throw new Error('The settings were accepted.');
};

describe('settings', () => {
  it('have the defaults of the design', () => {
    expect(loadConfig(GOOD)).toMatchObject({
      accessTokenMinutes: 15,
      refreshTokenDays: 30,
      heartbeatIntervalMs: 15_000,
      agentOfflineAfterMs: 45_000,
      leaseMs: 900_000,
      watchdogIntervalMs: 5000,
      outboxIntervalMs: 5000,
      uploadUrlSeconds: 3600,
      enrolCodeMinutes: 15,
      allowedOrigins: ['http://127.0.0.1:3000'],
    });
  });

  it('name every bad variable at once, each on a line of its own, and never a value', () => {
    const secret = 'kanarya';
    const bad = {
      ...GOOD,
      DATABASE_URL: `mysql://u:${secret}@h/d`,
      PORT: secret,
      LEASE_MS: '1',
      ALLOWED_ORIGINS: `https://a/${secret}`,
      REDIS_URL: secret,
    };
    const lines = linesOf(bad);
    expect(lines.map((line) => line.split(' ', 1)[0]).sort()).toEqual([
      'ALLOWED_ORIGINS',
      'DATABASE_URL',
      'LEASE_MS',
      'PORT',
      'REDIS_URL',
    ]);
    expect(lines.join('\n')).not.toContain(secret);
    expect(linesOf({}).map((line) => line.split(' ', 1)[0])).toEqual(['DATABASE_URL', 'REDIS_URL', 'KEYS_DIR', 'STORAGE_ROOT']);
  });

  it.each([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '1e3'],
    ['KEYS_DIR', 'relative/path'],
    ['LOG_LEVEL', 'loud'],
    ['DATABASE_APP_ROLE', 'a"; DROP'],
    ['ACCESS_TOKEN_MINUTES', '0'],
    ['FAULT', 'no number'],
  ])('refuse %s=%s', (name, value) => {
    expect(linesOf({ ...GOOD, [name]: value })).toHaveLength(1);
  });

  it('count an empty variable as not set', () => {
    expect(loadConfig({ ...GOOD, PORT: '', FAULT: '', DATABASE_OWNER_URL: '' })).toMatchObject({
      port: 3000,
      faultSpec: undefined,
      databaseOwnerUrl: undefined,
    });
  });

  it('are what .env.example shows, and its required values are valid', () => {
    const text = readFileSync(join(process.cwd(), '.env.example'), 'utf8');
    expect(text).toBe(renderEnvExample());
    const shown = Object.fromEntries(Object.values(CONFIG_VARIABLES).map(({ env, example }) => [env, example]));
    expect(loadConfig(shown)).toMatchObject(
      loadConfig({
        ...GOOD,
        ...Object.fromEntries(Object.keys(GOOD).map((name) => [name, shown[name]])),
        DATABASE_OWNER_URL: shown['DATABASE_OWNER_URL'],
      }),
    );
  });
});
