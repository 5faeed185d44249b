export * from './mutate.js';
export * from './fuzz-run.js';
export * from './fuzz-suite.js';
