import { openBackup, runRestore, type OpenBackup, type RestoreResult } from '@rahatback/backup-core';
import type { BackupLocation, RestoreCompletedReport, TableComparison } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { failureOutcome, reportBase, type Execution, type Executor, type Outcome } from '../commands/executor.js';
import { childRecorder, engineOf, openerOf, ownBackups, type ExecutorParts } from './executor-parts.js';
import { throttledProgress } from './progress.js';
import { RunRecord } from './run-record.js';
import { openPassword } from './sealed-secrets.js';

type RestoreRun = Execution<'restore:execute'>;

/** A frame holds 1 MB; steps, log and the frame's own needs get the rest. */
const MAX_TABLES_BYTES = 800_000;

/** Those that fit into one frame; every one is equal, else the restore had failed. */
function fitting(tables: readonly TableComparison[]): readonly TableComparison[] {
  let sizeBytes = 0;
  const end = tables.findIndex((table) => (sizeBytes += Buffer.byteLength(JSON.stringify(table)) + 1) > MAX_TABLES_BYTES);
  return end < 0 ? tables : tables.slice(0, end);
}

/** `restore:execute`: one backup into a new database beside the others. */
export const restoreExecutor =
  (parts: ExecutorParts): Executor<'restore:execute'> =>
  async (run) => {
    const record = new RunRecord();
    const backups = ownBackups(parts, run.command, run.signal);
    try {
      const { backup: location, links } = run.command.payload;
      const linkSource = (backupId: string) => backups.open(linkOf(links, backupId)).source;
      const backup = await openBackup({ ...backups.open(location), linkSource });
      return await restore(parts, run, { backup, record });
    } catch (error) {
      const cause: unknown = run.signal.aborted ? run.signal.reason : error;
      return failureOutcome(run.command, cause, { steps: record.steps, logTail: record.logTail(cause) });
    } finally {
      backups.close();
    }
  };

/** Where a link of the chain stands. @throws AppError OBJECT_MISSING */
export function linkOf(links: readonly BackupLocation[], backupId: string): BackupLocation {
  const link = links.find((candidate) => candidate.backupId === backupId);
  if (link !== undefined) return link;
  throw new AppError(
    'OBJECT_MISSING',
    `This backup points into backup ${backupId}, which the server did not name: it may be deleted.`,
  );
}

async function restore(
  parts: ExecutorParts,
  run: RestoreRun,
  { backup, record }: { readonly backup: OpenBackup; readonly record: RunRecord },
): Promise<Outcome> {
  const { command, signal } = run;
  const { connection, targetDatabase, restoreId, selection, parallelism } = command.payload;
  const report = reportBase(command);
  const engine = engineOf(connection.type);
  const completed = ({ tables, bytesRestored, logTail }: RestoreResult): RestoreCompletedReport => ({
    ...report,
    restoreId,
    targetDatabase,
    tables: fitting(tables),
    bytesRestored,
    steps: record.steps,
    logTail,
  });
  const result = await runRestore({
    engine,
    backup,
    access: { connection, password: await openPassword(command, connection.passwordRef, openerOf(parts)) },
    tools: await parts.tools(engine),
    targetDatabase,
    restoreId,
    selection,
    parallelism,
    signal,
    onStarted: startReport(parts, run),
    onSpawn: childRecorder(parts, run),
    onCompared: (compared) => run.recordPrepared({ ...completed(compared) }),
    onStep: record.onStep,
    onTool: record.onTool,
    onProgress: throttledProgress((view) => parts.link.emitVolatile('restore:progress', { ...report, ...view })),
  });
  const listed = fitting(result.tables).length;
  if (listed < result.tables.length) {
    record.note('tables', `All ${result.tables.length} tables are equal; the first ${listed} are listed.`);
  }
  return { state: 'succeeded', result: { event: 'restore:completed', message: { ...completed(result) } } };
}

const startReport =
  (parts: ExecutorParts, run: RestoreRun) =>
  ({ probe, tool }: { readonly probe: { readonly serverVersion: string }; readonly tool: string }): void => {
    const message = {
      ...reportBase(run.command),
      at: new Date().toISOString(),
      clientTool: tool,
      serverVersion: probe.serverVersion,
    };
    parts.requests
      .ask('restore:started', message, run.signal)
      .catch((error: unknown) => parts.log.debug({ err: error }, 'restore:started was not taken'));
  };
