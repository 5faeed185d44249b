export { RestoreModule } from './restore.module.js';
