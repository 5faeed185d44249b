import type { RestoreView } from '@rahatback/contracts';
import { isSwapBusy } from './swap-states.js';
import type { RestoreRow } from './restore.entity.js';

export const toRestoreView = (restore: RestoreRow, agentOnline: boolean): RestoreView => {
  const running = restore.status === 'running';
  const isAtWork = running || isSwapBusy(restore.swapState);
  return {
    id: restore.id,
    backupId: restore.backupId,
    databaseId: restore.databaseId,
    targetDatabase: restore.targetDatabase,
    targetDatabaseId: restore.targetDatabaseId ?? restore.databaseId,
    mode: restore.mode,
    selection: restore.selection,
    status: restore.status,
    connection: isAtWork ? (agentOnline ? 'connected' : 'lost') : null,
    startedAt: restore.startedAt.toISOString(),
    completedAt: restore.completedAt?.toISOString() ?? null,
    durationMs: restore.completedAt === null ? null : restore.completedAt.getTime() - restore.startedAt.getTime(),
    progress: running ? restore.progress : null,
    tablesTotal: restore.tablesTotal,
    tablesEqual: restore.tablesEqual,
    tables: restore.tables,
    liveDatabase: restore.liveDatabase,
    swapState: restore.swapState,
    retiredDatabase: restore.retiredDatabase,
    undoUntil: restore.undoUntil?.toISOString() ?? null,
    steps: restore.steps,
    logTail: restore.logTail,
    errorCode: restore.errorCode,
    errorMessage: restore.errorMessage,
  };
};
