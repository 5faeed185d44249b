import type { VerificationView } from '@rahatback/contracts';
import type { VerificationRow } from './verification.entity.js';

/** An ended row keeps no progress and no connection: both speak of an agent at work. */
export const toVerificationView = (verification: VerificationRow, agentOnline: boolean): VerificationView => {
  const pending = verification.status === 'PENDING';
  const { startedAt, completedAt } = verification;
  return {
    id: verification.id,
    backupId: verification.backupId,
    databaseId: verification.databaseId,
    verificationLevel: verification.level,
    status: verification.status,
    trigger: verification.trigger,
    connection: pending ? (agentOnline ? 'connected' : 'lost') : null,
    reason: verification.reason,
    checks: verification.checks,
    tables: verification.tables,
    tablesTotal: verification.tablesTotal,
    tablesEqual: verification.tablesEqual,
    restoreMs: verification.restoreMs,
    progress: pending ? verification.progress : null,
    startedAt: startedAt.toISOString(),
    completedAt: completedAt?.toISOString() ?? null,
    durationMs: completedAt === null ? null : completedAt.getTime() - startedAt.getTime(),
    steps: verification.steps,
    logTail: verification.logTail,
    errorCode: verification.errorCode,
    errorMessage: verification.errorMessage,
  };
};
