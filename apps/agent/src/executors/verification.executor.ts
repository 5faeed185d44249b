import { runVerification, type ToolSearch, type VerificationOutcome } from '@rahatback/backup-core';
import type { BackupLocation, TableComparison, VerificationCompletedReport } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { failureOutcome, reportBase, type Execution, type Executor, type Outcome } from '../commands/executor.js';
import { childRecorder, engineOf, ownBackups, type ExecutorParts, type OwnBackups } from './executor-parts.js';
import { throttledProgress } from './progress.js';
import { RunRecord } from './run-record.js';

type VerificationRun = Execution<'verification:execute'>;

/** A frame holds 1 MB; checks, steps, log and the frame's own needs get the rest. */
const MAX_TABLES_BYTES = 700_000;

/** Those that fit into one frame, differing ones first. */
export function fittingTables(tables: readonly TableComparison[]): readonly TableComparison[] {
  const ordered = [...tables.filter(({ equal }) => !equal), ...tables.filter(({ equal }) => equal)];
  let sizeBytes = 0;
  const end = ordered.findIndex((table) => (sizeBytes += Buffer.byteLength(JSON.stringify(table)) + 1) > MAX_TABLES_BYTES);
  return end < 0 ? ordered : ordered.slice(0, end);
}

/** `verification:execute`: judges one backup, at level FULL by restoring it into a throw-away server on this machine. */
export const verificationExecutor =
  (parts: ExecutorParts, search: ToolSearch): Executor<'verification:execute'> =>
  async (run) => {
    const record = new RunRecord();
    const backups = ownBackups(parts, run.command, run.signal);
    try {
      const outcome = await verify(parts, run, { backups, record, search });
      return completed(run, outcome, record);
    } catch (error) {
      const cause: unknown = run.signal.aborted ? run.signal.reason : error;
      return failureOutcome(run.command, cause, { steps: record.steps, logTail: record.logTail(cause) });
    } finally {
      backups.close();
    }
  };

interface Means {
  readonly backups: OwnBackups;
  readonly record: RunRecord;
  readonly search: ToolSearch;
}

async function verify(parts: ExecutorParts, run: VerificationRun, means: Means): Promise<VerificationOutcome> {
  const { command, signal } = run;
  const { backup, links, databaseType, verificationId, level } = command.payload;
  const { backups, record, search } = means;
  const engine = engineOf(databaseType);
  const report = reportBase(command);
  return runVerification({
    engine,
    backup: { ...backups.open(backup), linkSource: (backupId) => backups.open(linkOf(links, backupId)).source },
    verificationId,
    level,
    tools: await parts.tools(engine),
    search,
    signal,
    onStarted: startReport(parts, run),
    onSpawn: childRecorder(parts, run),
    onStep: record.onStep,
    onTool: record.onTool,
    onProgress: throttledProgress((view) => parts.link.emitVolatile('verification:progress', { ...report, ...view })),
  });
}

/** Whatever the verdict, the command has succeeded: it found out. */
function completed({ command }: VerificationRun, outcome: VerificationOutcome, record: RunRecord): Outcome {
  const { status, reason, checks, restoreMs, logTail } = outcome;
  const isCompared = outcome.tables.length > 0;
  const tables = fittingTables(outcome.tables);
  if (tables.length < outcome.tables.length)
    record.note('tables', `Of ${outcome.tables.length} tables the first ${tables.length} are listed, differing ones first.`);
  const message: VerificationCompletedReport = {
    ...reportBase(command),
    verificationId: command.payload.verificationId,
    status,
    reason,
    checks,
    tables,
    tablesTotal: isCompared ? outcome.tables.length : null,
    tablesEqual: isCompared ? outcome.tables.filter(({ equal }) => equal).length : null,
    restoreMs,
    steps: record.steps,
    logTail,
  };
  return { state: 'succeeded', result: { event: 'verification:completed', message: { ...message } } };
}

function linkOf(links: readonly BackupLocation[], backupId: string): BackupLocation {
  const link = links.find((candidate) => candidate.backupId === backupId);
  if (link !== undefined) return link;
  throw new AppError(
    'OBJECT_MISSING',
    `This backup points into backup ${backupId}, which the server did not name: it may be deleted.`,
    { backupId },
  );
}

const startReport =
  (parts: ExecutorParts, run: VerificationRun) =>
  ({ serverVersion, tool }: { readonly serverVersion: string; readonly tool: string }): void => {
    const message = { ...reportBase(run.command), at: new Date().toISOString(), clientTool: tool, serverVersion };
    parts.requests
      .ask('verification:started', message, run.signal)
      .catch((error: unknown) => parts.log.debug({ err: error }, 'verification:started was not taken'));
  };
