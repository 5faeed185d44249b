/** The import rules of docs/ARCHITECTURE.md as data. The lint rules, the Nx constraints and the self-test all read these tables. */

/** What the test harness may import: all of ours. */
export const EVERYTHING = [
  'contracts',
  'crypto',
  'storage',
  'backup-core',
  'api-client',
  'ui',
  'instances',
  'api',
  'agent',
  'agent-desktop',
  'console',
  'installer-ui',
  'testing',
];

/**
 * Every project, also those that are still to come: where it lives, where its code runs, and what of ours it may import.
 * @type {Record<string, {folder: string, runtime: 'any' | 'node' | 'browser', mayImport: string[]}>}
 */
export const PROJECTS = {
  contracts: { folder: 'libs/contracts', runtime: 'any', mayImport: [] },
  // Its main entry is for Node, its browser entry for the console: the project as a whole is for both.
  crypto: { folder: 'libs/crypto', runtime: 'any', mayImport: [] },
  storage: { folder: 'libs/storage', runtime: 'node', mayImport: ['contracts'] },
  'backup-core': { folder: 'libs/backup-core', runtime: 'node', mayImport: ['contracts', 'crypto', 'storage'] },
  'api-client': { folder: 'libs/api-client', runtime: 'any', mayImport: ['contracts'] },
  ui: { folder: 'libs/ui', runtime: 'browser', mayImport: ['contracts'] },
  instances: { folder: 'libs/instances', runtime: 'node', mayImport: ['contracts', 'crypto', 'backup-core'] },
  api: { folder: 'apps/api', runtime: 'node', mayImport: ['contracts', 'crypto', 'storage', 'backup-core'] },
  agent: {
    folder: 'apps/agent',
    runtime: 'node',
    mayImport: ['contracts', 'crypto', 'storage', 'backup-core', 'instances', 'api-client'],
  },
  'agent-desktop': { folder: 'apps/agent-desktop', runtime: 'browser', mayImport: ['contracts', 'ui'] },
  console: { folder: 'apps/console', runtime: 'browser', mayImport: ['contracts', 'crypto', 'api-client', 'ui'] },
  'installer-ui': { folder: 'apps/installer-ui', runtime: 'browser', mayImport: ['contracts', 'api-client', 'ui'] },
  testing: { folder: 'libs/testing', runtime: 'node', mayImport: EVERYTHING },
  e2e: { folder: 'apps/e2e', runtime: 'node', mayImport: EVERYTHING },
};

/** Entries of a package that an importer is held to, where that is not the package's main entry. */
export const ENTRIES = { console: { crypto: '@rahatback/crypto/browser' } };

/** The modules of apps/api in layers: a module may import its own layer and those above it, always through the other's index.js. */
export const MODULE_LAYERS = [
  ['auth', 'audit', 'api-tokens'],
  ['agents', 'storages'],
  ['databases'],
  ['jobs', 'backups'],
  ['restore', 'verification', 'catalogue', 'instances'],
  ['upgrades'],
];

/** Modules that listen to events of all others and that nobody imports. */
export const LISTENING_MODULES = ['notifications', 'messaging'];

/** Tests, the suites that several tests run, and what only tests use. Product code may not import them. */
export const TEST_FILES = [
  '**/*.spec.{ts,tsx}',
  '**/*-spec.{ts,tsx}',
  '**/*.suite.ts',
  '**/conformance/**/*.ts',
  'apps/*/src/**/testing/**/*.ts',
];

/** Packages that have a home, and the files that are it. Tests may look behind every seam. */
export const PACKAGE_HOMES = [
  {
    name: 'typeorm',
    packages: /^typeorm(\/|$)/,
    files: ['**/*.entity.ts', '**/*.repository.ts', '**/migrations/**', 'apps/api/src/platform/database/**'],
    instead: 'put the query into a *.repository.ts and call that',
  },
  {
    name: '@nestjs/typeorm',
    packages: /^@nestjs\/typeorm(\/|$)/,
    files: ['**/*.module.ts', '**/*.repository.ts', 'apps/api/src/platform/database/**'],
    instead: 'register entities in the *.module.ts and inject a repository of ours',
  },
  {
    name: 'bullmq',
    packages: /^(bullmq|@nestjs\/bullmq)(\/|$)/,
    files: ['**/*queue*.ts', '**/*.processor.ts', '**/*.module.ts', 'apps/api/src/platform/queues/**'],
    instead: 'call a function of a *queue*.ts file, or do the work in a *.processor.ts',
  },
  {
    name: 'socket.io',
    packages: /^(socket\.io(-[a-z]+)*|@socket\.io\/.*|@nestjs\/(platform-socket\.io|websockets))(\/|$)/,
    files: ['apps/api/src/platform/realtime/**', 'libs/api-client/**'],
    instead: 'register a handler with platform/realtime, or use the client of libs/api-client',
  },
];

/** The only places that read the environment. crash-point.ts reads the switch of the crash tests, and nothing else. */
export const ENVIRONMENT_FILES = [
  'apps/api/src/platform/config/**',
  'apps/agent/src/config/**',
  'apps/e2e/**',
  'libs/testing/**',
  'libs/backup-core/src/crash-point.ts',
  'tools/**',
];
