import { AppError } from '@rahatback/contracts';
import { fingerprint, UNKNOWN_SEAL_KEY } from '@rahatback/crypto';
import type { Tx } from '../../platform/database/database.js';
import { newId } from '../../platform/ids.js';
import { AgentRow } from '../agents/index.js';
import { BackupAttemptRow, BackupObjectRow, BackupRow } from '../backups/index.js';
import { DatabaseRow } from '../databases/index.js';
import { JobRow } from '../jobs/index.js';
import type { GenuineBackup } from './import-manifest.js';
import type { PlacedBackup } from './import-chains.js';

export interface ImportTarget {
  readonly workspaceId: string;
  readonly storageId: string;
  readonly actorId: string;
  /** This server's command key: what its agents have pinned, and compute an agent's six words with. */
  readonly serverPublicKey: string;
}

const JOB_NAME = 'Imported backups';
/** Long enough for any chain: it only says how long a restore may take. */
const TIME_LIMIT_MINUTES = 1440;

export const importedName = (id: string): string => `Imported ${id.slice(0, 8)}`;

/** One import at a time in a workspace: what the second looks for, the first has then committed. */
export const lockImports = (tx: Tx, workspaceId: string): Promise<unknown> =>
  tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`catalogue-import ${workspaceId}`]);

/** Ids out of a set that rows of other workspaces bear. Needs the system path: row-level security hides those rows. */
export const takenElsewhere = async (tx: Tx, workspaceId: string, ids: readonly string[]): Promise<Set<string>> => {
  const rows = await tx.query<{ id: string }[]>(
    `SELECT id FROM backups WHERE id = ANY($1::uuid[]) AND workspace_id <> $2
     UNION SELECT id FROM databases WHERE id = ANY($1::uuid[]) AND workspace_id <> $2
     UNION SELECT id FROM agents WHERE id = ANY($1::uuid[]) AND workspace_id <> $2`,
    [ids, workspaceId],
  );
  return new Set(rows.map(({ id }) => id));
};

export interface KnownBackup {
  readonly id: string;
  readonly usable: boolean;
}

export const knownBackups = (tx: Tx, ids: readonly string[]): Promise<KnownBackup[]> =>
  tx.query<KnownBackup[]>(
    `SELECT id, status = 'success' AND deleting_at IS NULL AS usable FROM backups WHERE id = ANY($1::uuid[])`,
    [ids],
  );

export const databaseName = async (tx: Tx, databaseId: string): Promise<string | null> =>
  (await tx.findOneBy(DatabaseRow, { id: databaseId }))?.name ?? null;

/**
 * The signer as a row that no agent can log in with: history and trust need its name and key.
 * @throws AppError MANIFEST_INVALID when this workspace knows the agent by another key
 */
export const ensureAgent = async (
  tx: Tx,
  { workspaceId, serverPublicKey }: ImportTarget,
  { agentId, signPublicKey }: { readonly agentId: string; readonly signPublicKey: string },
): Promise<void> => {
  const known = await tx.findOneBy(AgentRow, { id: agentId });
  if (known !== null) {
    if (known.signPublicKey === signPublicKey) return;
    throw new AppError(
      'MANIFEST_INVALID',
      `The given key of agent ${agentId} is not the one that this workspace has pinned. Compare it with the recovery kit.`,
    );
  }
  await tx.insert(AgentRow, {
    id: agentId,
    workspaceId,
    deviceName: `imported ${agentId.slice(0, 8)}`,
    platform: 'imported',
    version: 'imported',
    state: 'revoked',
    signPublicKey,
    sealPublicKey: UNKNOWN_SEAL_KEY,
    fingerprint: fingerprint({ signPublicKey, sealPublicKey: UNKNOWN_SEAL_KEY, serverPublicKey }),
  });
};

/** A database whose server nobody knows any more: a person binds it again, or restores into another one. */
export const ensureDatabase = async (tx: Tx, { workspaceId }: ImportTarget, { manifest }: GenuineBackup): Promise<void> => {
  if ((await tx.findOneBy(DatabaseRow, { id: manifest.databaseId })) !== null) return;
  await tx.insert(DatabaseRow, {
    id: manifest.databaseId,
    workspaceId,
    agentId: manifest.agentId,
    name: importedName(manifest.databaseId),
    type: manifest.engine,
    host: 'localhost',
    port: 5432,
    username: 'imported',
    databaseName: 'imported',
    password: null,
    serverVersion: manifest.serverVersion,
  });
};

/** History rows belong to a job; this one never runs by itself. */
export const ensureJob = async (tx: Tx, target: ImportTarget, { manifest }: GenuineBackup): Promise<string> => {
  const { workspaceId, storageId } = target;
  const found = await tx.findOneBy(JobRow, { databaseId: manifest.databaseId, storageId, name: JOB_NAME, isActive: false });
  if (found !== null) return found.id;
  const id = newId();
  await tx.insert(JobRow, {
    id,
    workspaceId,
    databaseId: manifest.databaseId,
    storageId,
    name: JOB_NAME,
    compression: manifest.compression,
    timeLimitMinutes: TIME_LIMIT_MINUTES,
    isActive: false,
  });
  return id;
};

const toolMajorOf = (tool: string): number | null => {
  const major = /(\d+)(?:\.\d+)*\s*$/.exec(tool)?.[1];
  return major === undefined ? null : Number(major);
};

export const insertImported = async (
  tx: Tx,
  { workspaceId, storageId, actorId, jobId }: ImportTarget & { readonly jobId: string },
  { backup, position }: PlacedBackup,
): Promise<void> => {
  const { manifest, manifestSha256, storedBytes, objects } = backup;
  const isForeign = manifest.workspaceId !== workspaceId;
  const [startedAt, endedAt] = [new Date(manifest.startedAt), new Date(manifest.completedAt)];
  await tx.insert(BackupRow, {
    id: manifest.backupId,
    workspaceId,
    jobId,
    databaseId: manifest.databaseId,
    storageId,
    agentId: manifest.agentId,
    status: 'success',
    publishing: false,
    backupType: manifest.type,
    compression: manifest.compression,
    fence: manifest.fence,
    attempt: 1,
    chainId: manifest.chain.id,
    baseBackupId: manifest.chain.links.at(-1) ?? null,
    chainPosition: position,
    passphraseVersion: 0,
    toolMajor: toolMajorOf(manifest.tool),
    serverVersion: manifest.serverVersion,
    sizeBytes: manifest.dumpBytes,
    storedBytes,
    manifestSha256,
    startedAt,
    completedAt: endedAt,
    requestedBy: actorId,
    importedAt: () => 'clock_timestamp()',
    originWorkspaceId: isForeign ? manifest.workspaceId : null,
    originDatabaseId: isForeign ? manifest.databaseId : null,
  });
  const place = { backupId: manifest.backupId, fence: manifest.fence, workspaceId };
  await tx.insert(BackupAttemptRow, { ...place, attempt: 1, commandId: newId(), state: 'success', startedAt, endedAt });
  await tx.insert(
    BackupObjectRow,
    objects.map((object) => ({ ...place, ...object, state: 'stored' as const, uploadId: null })),
  );
};
