export { DatabaseRow } from './database.entity.js';
export { connectionOf, DatabaseDirectory } from './database-directory.js';
export { DatabasesModule } from './databases.module.js';
