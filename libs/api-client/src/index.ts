export * from './agent-socket.js';
