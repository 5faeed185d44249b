export * from './ports.js';
export * from './temp-dir.js';
export * from './wait-for.js';
export * from './random.js';
export * from './processes/process-tree.js';
export * from './servers/postgres-binaries.js';
export * from './servers/postgres.js';
export * from './servers/redis.js';
