export { DatabaseRow } from './database.entity.js';
