export { DatabaseRow } from './database.entity.js';
export { DatabaseDeletions, type DatabaseDeletionHandler } from './database-deletions.js';
export { DatabaseMoves, type DatabaseMove, type MoveStep } from './database-moves.js';
export { connectionOf, DatabaseDirectory } from './database-directory.js';
export { DatabasesModule } from './databases.module.js';
