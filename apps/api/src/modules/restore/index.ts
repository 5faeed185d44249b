export { RestoreModule } from './restore.module.js';
export { tablesOf } from './restore-frames.js';
