import { randomUUID } from 'node:crypto';
import {
  crashPoint,
  MANIFEST_OBJECT,
  runBackup,
  usableBase,
  type BackupIdentity,
  type BackupKeys,
  type LoadedChain,
} from '@rahatback/backup-core';
import type { AppError, BackupCompletedReport, BackupPayload, BrokenLink } from '@rahatback/contracts';
import { SignedUrlSink, type BackupSink, type UploadPoint } from '@rahatback/storage/agent';
import { failureOutcome, reportBase, type Execution, type Executor, type Outcome } from '../commands/executor.js';
import { agentCrashPoint } from '../crash-points.js';
import { AGENT_VERSION } from '../version.js';
import { childRecorder, engineOf, openerOf, ownBackups, type ExecutorParts } from './executor-parts.js';
import { AgentFolderSink } from '../storage/agent-folder-sink.js';
import { throttledProgress } from './progress.js';
import { RunRecord } from './run-record.js';
import { openPassword, openSecret } from './sealed-secrets.js';
import { uploadControl } from './transfer-control.js';

type BackupRun = Execution<'job:execute'>;

interface Base {
  readonly chain: LoadedChain | null;
  readonly brokenLink: BrokenLink | null;
}

/** What says that stored bytes are gone or not what they were; a wrong key or a foreign chain says nothing of them. */
const DAMAGE: readonly AppError['code'][] = [
  'OBJECT_MISSING',
  'DATA_CORRUPT',
  'DATA_TRUNCATED',
  'MANIFEST_INVALID',
  'KEYS_INVALID',
];

function brokenLinkIn(trouble: AppError | null): BrokenLink | null {
  const backupId = trouble?.details?.['backupId'];
  if (trouble === null || typeof backupId !== 'string' || !DAMAGE.includes(trouble.code)) return null;
  return { backupId, message: trouble.message };
}

async function openBase(parts: ExecutorParts, run: BackupRun, record: RunRecord): Promise<Base> {
  const backups = ownBackups(parts, run.command, run.signal);
  try {
    const links = run.command.payload.base.map((location) => backups.open(location));
    const { base, trouble } = await usableBase(links, {
      indexes: parts.indexes,
      seen: parts.seen,
      onReading: ({ backupId, object, storedBytes }) =>
        record.note(
          'read again',
          `${object} of backup ${backupId}: ${storedBytes} bytes that are not known to be as they were written.`,
        ),
    });
    if (trouble !== null) record.note('full instead', `The chain cannot be built on (${trouble.code}): ${trouble.message}`);
    return { chain: base, brokenLink: brokenLinkIn(trouble) };
  } catch (error) {
    run.signal.throwIfAborted();
    throw error;
  } finally {
    backups.close();
  }
}

function identityOf({ location, chainId }: BackupPayload, agentId: string, base: LoadedChain | null): BackupIdentity {
  const { workspaceId, databaseId, backupId, fence, backupType } = location;
  const own = { workspaceId, databaseId, backupId, fence, agentId };
  if (base !== null) return { ...own, type: backupType, chainId: base.chainId };
  // A full that takes the place of a link begins a chain of its own: a chain has one data key.
  return { ...own, type: 'full', chainId: backupType === 'full' ? chainId : randomUUID() };
}

async function keysOf(parts: ExecutorParts, { command }: BackupRun): Promise<BackupKeys> {
  const { identity, keys } = parts;
  const { recoveryRecipient, passphrase } = command.payload;
  const slot = passphrase && {
    salt: passphrase.salt,
    memoryKib: passphrase.memoryKib,
    passes: passphrase.passes,
    parallelism: passphrase.parallelism,
    kek: await openSecret(command, { ref: passphrase.kekRef, purpose: 'passphrase-kek' }, openerOf(parts)),
  };
  return {
    agents: [{ agentId: identity.agentId, sealPublicKey: keys.seal.publicKey }],
    recoveryRecipient,
    passphrase: slot,
    signingPrivateKey: keys.sign.privateKey,
  };
}

function startReport(
  parts: ExecutorParts,
  run: BackupRun,
): (started: { probe: { serverVersion: string }; tool: string }) => void {
  return ({ probe, tool }) => {
    const message = {
      ...reportBase(run.command),
      at: new Date().toISOString(),
      clientTool: tool,
      serverVersion: probe.serverVersion,
    };
    parts.requests
      .ask('backup:started', message, run.signal)
      .catch((error: unknown) => parts.log.debug({ err: error }, 'backup:started was not taken'));
    agentCrashPoint('agent.backup.started');
  };
}

/** `job:execute`: one backup of one database, to this agent's own disk or to the place that the server signs URLs for. */
export const backupExecutor =
  (parts: ExecutorParts): Executor<'job:execute'> =>
  async (run) => {
    const record = new RunRecord();
    try {
      return await backUp(parts, run, record);
    } catch (error) {
      const cause: unknown = run.signal.aborted ? run.signal.reason : error;
      return failureOutcome(run.command, cause, { steps: record.steps, logTail: record.logTail(cause) });
    }
  };

async function backUp(parts: ExecutorParts, run: BackupRun, record: RunRecord): Promise<Outcome> {
  const { chain: base, brokenLink } = await openBase(parts, run, record);
  const keys = await keysOf(parts, run);
  try {
    return await runWithKeys(parts, run, { record, base, brokenLink, keys });
  } finally {
    keys.passphrase?.kek.fill(0);
    base?.dek.fill(0);
  }
}

interface Prepared {
  readonly record: RunRecord;
  readonly base: LoadedChain | null;
  readonly brokenLink: BrokenLink | null;
  readonly keys: BackupKeys;
}

async function runWithKeys(parts: ExecutorParts, run: BackupRun, { record, base, brokenLink, keys }: Prepared): Promise<Outcome> {
  const { command, signal } = run;
  const { connection, compression, location } = command.payload;
  const report = reportBase(command);
  const engine = engineOf(connection.type);
  let storedSha256: string | undefined;
  const completed = (manifestSha256: string, logTail: string): BackupCompletedReport => ({
    ...report,
    backupId: location.backupId,
    manifestSha256,
    ...(brokenLink === null ? {} : { brokenLink }),
    steps: record.steps,
    logTail,
  });
  const onPublished = async (sha256: string): Promise<void> => {
    storedSha256 = sha256;
    await run.recordPublished({ ...completed(sha256, '') });
  };
  const onAccepted = (sha256: string): Promise<void> => run.recordPrepared({ ...completed(sha256, '') });
  const { sink, close } = await openSink(parts, run, { onAccepted, onPublished });
  try {
    const result = await runBackup({
      engine,
      access: { connection, password: await openPassword(command, connection.passwordRef, openerOf(parts)) },
      tools: await parts.tools(engine),
      sink: parts.seen.sink(parts.indexes.sink(sink), location.backupId),
      identity: identityOf(command.payload, parts.identity.agentId, base),
      keys,
      compression,
      base,
      writer: `rahatback-agent ${AGENT_VERSION}`,
      signal,
      ...(parts.stallMs === undefined ? {} : { limits: { stallMs: parts.stallMs } }),
      onStarted: startReport(parts, run),
      onSpawn: childRecorder(parts, run),
      onStep: record.onStep,
      onTool: record.onTool,
      onProgress: throttledProgress((view) => parts.link.emitVolatile('backup:progress', { ...report, ...view })),
    });
    const message = completed(storedSha256 ?? result.manifestSha256, result.logTail);
    return { state: 'succeeded', result: { event: 'backup:completed', message: { ...message } } };
  } finally {
    close();
  }
}

interface Publishing {
  readonly onAccepted: (manifestSha256: string) => Promise<void>;
  readonly onPublished: (manifestSha256: string) => Promise<void>;
}

/** Where the objects go: this agent's own disk, or the place that the server signs URLs for. */
async function openSink(
  { home, requests }: ExecutorParts,
  { command, signal }: BackupRun,
  { onAccepted, onPublished }: Publishing,
): Promise<{ sink: BackupSink; close: () => void }> {
  const { agentPath, location } = command.payload;
  const calls = { requests, report: reportBase(command), signal };
  if (agentPath !== null) {
    const sink = await AgentFolderSink.open({ ...calls, home, agentPath, location, onAccepted, onPublished });
    return { sink, close: () => undefined };
  }
  const manifestOnly = async (object: string, sha256: string): Promise<void> => {
    if (object === MANIFEST_OBJECT) await onPublished(sha256);
  };
  const sink = new SignedUrlSink(uploadControl({ ...calls, onPublished: manifestOnly }), { signal, onPoint });
  return { sink, close: () => sink.close() };
}

/** The sink's points are those of the pipeline; one of them has had its own name in the agent. */
function onPoint(point: UploadPoint): void {
  crashPoint(point);
  if (point === 'upload.after_last_part') agentCrashPoint('agent.upload.after_last_part');
}
