export { StorageRow } from './storage.entity.js';
