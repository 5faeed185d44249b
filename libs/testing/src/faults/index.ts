export * from './tcp-fault-proxy.js';
export * from './small-disk.js';
export * from './paused-process.js';
export * from './process-faults.js';
