export { byteRangeOf } from './byte-range.js';
export { StorageRow, type StorageSettings } from './storage.entity.js';
export { StorageDirectory } from './storage-directory.js';
export { StorageFactory, type OpenStorage } from './storage-factory.js';
export { PartGate, type PartAttempt, type PartCheck } from './part-gate.js';
export { StoragesModule } from './storages.module.js';
