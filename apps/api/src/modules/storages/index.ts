export { byteRangeOf } from './byte-range.js';
export { agentFolderAt, agentFolderOf, agentPathOf, checkAgentPath, type AgentFolder } from './agent-folder.js';
export { StorageRow, type StorageSettings } from './storage.entity.js';
export { StorageDirectory } from './storage-directory.js';
export { StorageFactory, type OpenStorage } from './storage-factory.js';
export { PartGate, type PartAttempt, type PartCheck } from './part-gate.js';
export { StoragesModule } from './storages.module.js';
