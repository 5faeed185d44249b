export * from './agent-socket.js';
export * from './live-socket.js';
/** Generated from openapi.json: one function per operation, and the types of what they take and answer. */
export * from './generated/index.js';
export { createClient, createConfig } from './generated/client/index.js';
export type { Client } from './generated/client/index.js';
