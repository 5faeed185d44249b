import 'reflect-metadata';
import { MIGRATIONS } from './migrations/index.js';
import { failStart } from './platform/boot/run-process.js';
import { ConfigError, loadConfig } from './platform/config/load-config.js';
import { migrateSchema } from './platform/database/migrate-schema.js';

try {
  const config = loadConfig();
  if (config.databaseOwnerUrl === undefined) {
    throw new ConfigError([
      'DATABASE_OWNER_URL is missing. PostgreSQL as the owner of the schema; only the migrate entry reads it.',
    ]);
  }
  const applied = await migrateSchema({
    ownerUrl: config.databaseOwnerUrl,
    appRole: config.databaseAppRole,
    migrations: MIGRATIONS,
  });
  process.stdout.write(`${JSON.stringify({ level: 'info', service: 'migrate', event: 'migrated', applied })}\n`);
} catch (error) {
  failStart('migrate', error);
}
