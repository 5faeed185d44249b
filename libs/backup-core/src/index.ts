export {
  configureCrashPoints,
  crashPoint,
  CRASH_POINTS,
  SWAP_CRASH_POINTS,
  VERIFY_CRASH_POINTS,
  type CrashPoint,
} from './crash-point.js';
export { runBackup } from './backup/run-backup.js';
export type { BackupIdentity, BackupKeys, BackupLimits, BackupRequest, BackupResult } from './backup/backup-request.js';
export { INDEX_CACHE_MAX_BYTES, IndexCache } from './chain/index-cache.js';
export { SeenObjects } from './chain/seen-objects.js';
export { loadChain, type LoadedChain } from './chain/load-chain.js';
export { isChainTrouble, usableBase, type UsableBase } from './chain/usable-base.js';
export type { DatabaseTraits, DumpFacts, LargeObjectFacts, SchemaObject, SequenceFacts, TableFacts } from './dump/dump-facts.js';
export type { TableDigest } from './dump/digest-collector.js';
export { ROW_DIGEST } from './dump/row-digest.js';
export { withCaFile } from './engine/ca-file.js';
export type {
  ClientTools,
  DatabaseAccess,
  DatabaseEngine,
  DumpInspector,
  PreflightRequest,
  ProbeResult,
  DiscardRequest,
  RestoreFeed,
  StagingDatabase,
  SwapOutcome,
  SwapRequest,
  ToolSearch,
} from './engine/database-engine.js';
export { postgresEngine } from './engine/postgres/postgres-engine.js';
export * from './manifest/index.js';
export { killLeftover, type ProcessRecord } from './process/leftover.js';
export { spawnTool, type RunningTool, type SpawnOptions, type ToolCommand, type ToolExit } from './process/spawn-tool.js';
export type { RunListener } from './progress.js';
export { openBackup, openLink, OpenLink, type BackupToOpen, type ChainToOpen, type OpenBackup } from './restore/open-backup.js';
export { decryptTo, dumpBytes, readDump } from './restore/read-dump.js';
export { runRestore, type RestoreRequest, type RestoreResult } from './restore/run-restore.js';
export { removeThrowawayLeftovers } from './engine/postgres/throwaway-folder.js';
export type { IsolationKind } from './engine/throwaway-server.js';
export { runVerification } from './verify/run-verification.js';
export type { VerificationOutcome, VerificationRequest } from './verify/verification.js';
