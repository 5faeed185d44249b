import type { AppConfig } from '../platform/config/app-config.js';
import { loadConfig, toConfig } from '../platform/config/load-config.js';

/** The defaults of production, with the addresses of a test's own servers and limits that a busy test does not meet. */
export function testConfig(
  needed: Pick<AppConfig, 'databaseUrl' | 'redisUrl' | 'keysDir' | 'storageRoot'>,
  overrides: Partial<AppConfig> = {},
): AppConfig {
  const defaults = loadConfig({
    DATABASE_URL: needed.databaseUrl,
    REDIS_URL: needed.redisUrl,
    KEYS_DIR: needed.keysDir,
    STORAGE_ROOT: needed.storageRoot,
    LOG_LEVEL: 'warn',
    PORT: '0',
    // Stores of tests are on this machine.
    OUTBOUND_ALLOW: '127.0.0.0/8,::1',
    REQUESTS_PER_MINUTE: '1000000',
    REGISTRATIONS_PER_HOUR: '1000000',
  });
  return toConfig({ ...defaults, ...overrides });
}
