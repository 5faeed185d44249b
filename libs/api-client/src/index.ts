export * from './agent-socket.js';
export * from './live-socket.js';
