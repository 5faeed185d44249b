export { DatabaseRow } from './database.entity.js';
export { DatabaseDeletions, type DatabaseDeletionHandler } from './database-deletions.js';
export { connectionOf, DatabaseDirectory } from './database-directory.js';
export { DatabasesModule } from './databases.module.js';
