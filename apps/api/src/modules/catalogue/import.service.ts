import { Injectable } from '@nestjs/common';
import { AppError, type ImportAnswer, type ImportDto } from '@rahatback/contracts';
import { MANIFEST_OBJECT } from '@rahatback/backup-core/manifest';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import type { StorageBackend } from '@rahatback/storage';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { AuditTrail } from '../audit/index.js';
import { placeChains, type PlacedBackup } from './import-chains.js';
import { openGenuine, type GenuineBackup, type Signers } from './import-manifest.js';
import { ImportTally } from './import-tally.js';
import {
  databaseName,
  ensureAgent,
  ensureDatabase,
  ensureJob,
  importedName,
  insertImported,
  knownBackups,
  lockImports,
  takenElsewhere,
  type ImportTarget,
} from './import.repository.js';
import { ServerStorages } from './server-storages.js';
import { storedBackups, type StoredBackup } from './stored-backups.js';

interface Run {
  readonly actor: Actor;
  readonly target: ImportTarget;
  readonly backend: StorageBackend;
  readonly signers: Signers;
  readonly dryRun: boolean;
  readonly tally: ImportTally;
}

const misplaced = (key: string): AppError => {
  const folder = key.split('/').slice(0, -5).join('/');
  const where = folder === '' ? 'in a folder that no backup has' : `below ${folder}`;
  return new AppError(
    'VALIDATION',
    `This manifest stands ${where}, not at <workspace>/<database>/<backup>/<fence> of this storage. ` +
      'If the backups were moved there, add a storage whose prefix or path is that folder, and import that one.',
  );
};

const conflict = (sentence: string): AppError => new AppError('CONFLICT', sentence);

/**
 * Makes history out of what lies in a storage, believing only what keys out of the recovery kit have signed. May run twice, and at once: what is
 * known stays as it is. Holds one database's manifests at a time.
 */
@Injectable()
export class CatalogueImport {
  constructor(
    private readonly database: Database,
    private readonly storages: ServerStorages,
    private readonly keys: ServerKeys,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws AppError NOT_FOUND, CONFLICT for an agent's own disk, or what the storage says when it cannot be listed or read */
  async run(actor: Actor, storageId: string, dto: ImportDto): Promise<ImportAnswer> {
    const { workspaceId, userId } = actor;
    const { backend } = await this.storages.open(workspaceId, storageId);
    const run: Run = {
      actor,
      target: { workspaceId, storageId, actorId: userId, serverPublicKey: this.keys.commandKey.publicKeyBase64 },
      backend,
      signers: {
        agents: new Map(dto.agents.map(({ agentId, signPublicKey }) => [agentId.toLowerCase(), signPublicKey])),
        ...(dto.serverPublicKey === undefined ? {} : { serverPublicKey: dto.serverPublicKey }),
      },
      dryRun: dto.dryRun === true,
      tally: new ImportTally(),
    };
    let found: GenuineBackup[] = [];
    let databaseId = '';
    for await (const stored of storedBackups(backend.list(''))) {
      if ('stranger' in stored) {
        this.stranger(run, stored.stranger.key);
        continue;
      }
      if (stored.databaseId !== databaseId) {
        await this.takeDatabase(run, found);
        [databaseId, found] = [stored.databaseId, []];
      }
      const genuine = await this.newestAttempt(run, stored);
      if (genuine !== null) found.push(genuine);
    }
    await this.takeDatabase(run, found);
    return run.tally.answer();
  }

  private stranger({ tally }: Run, key: string): void {
    if (key !== MANIFEST_OBJECT && !key.endsWith(`/${MANIFEST_OBJECT}`)) return;
    tally.manifestsFound += 1;
    tally.refuse(key, misplaced(key));
  }

  /** The published attempt with the highest fence is the backup: an older one lost its lease before it could count. */
  private async newestAttempt({ backend, signers, tally }: Run, stored: StoredBackup): Promise<GenuineBackup | null> {
    const published = [...stored.attempts].filter(([, objects]) => objects.has(MANIFEST_OBJECT)).sort(([a], [b]) => b - a);
    tally.manifestsFound += published.length;
    let newest: GenuineBackup | null = null;
    for (const [fence, objects] of published) {
      const key = objects.get(MANIFEST_OBJECT)?.key ?? '';
      try {
        const genuine = await openGenuine(backend, { place: stored, fence, objects }, signers);
        if (newest !== null) throw conflict('A later attempt of the same backup stands beside this one and counts.');
        newest = genuine;
      } catch (error) {
        tally.refuse(key, error);
      }
    }
    return newest;
  }

  private async takeDatabase(run: Run, found: readonly GenuineBackup[]): Promise<void> {
    if (found.length === 0) return;
    const free = await this.notTaken(run, found);
    const { chains, refused } = placeChains(free);
    for (const { backup, error } of refused) run.tally.refuse(backup.manifestKey, error);
    for (const chain of chains) await this.takeChain(run, chain);
  }

  /** Ids are the same on every server, so a bucket imported by two workspaces of one server belongs to the first. */
  private async notTaken({ target, tally }: Run, found: readonly GenuineBackup[]): Promise<GenuineBackup[]> {
    const ids = found.flatMap(({ manifest }) => [manifest.backupId, manifest.databaseId, manifest.agentId]);
    const taken = await this.database.asSystem('import: ids of other workspaces', (tx) =>
      takenElsewhere(tx, target.workspaceId, [...new Set(ids)]),
    );
    return found.filter(({ manifest, manifestKey }) => {
      const isTaken = [manifest.backupId, manifest.databaseId, manifest.agentId].some((id) => taken.has(id));
      if (isTaken) tally.refuse(manifestKey, conflict('Another workspace of this server holds this backup. Use it there.'));
      return !isTaken;
    });
  }

  private async takeChain(run: Run, chain: readonly PlacedBackup[]): Promise<void> {
    try {
      const { known, name } = await this.database.inWorkspace(run.target.workspaceId, (tx) => this.insertFresh(tx, run, chain));
      for (const { backup } of chain) tell(run.tally, backup, known.get(backup.manifest.backupId), name);
    } catch (error) {
      for (const { backup } of chain) run.tally.refuse(backup.manifestKey, error);
    }
  }

  /** One transaction: a chain is in the history from its full to its end, or not at all. */
  private async insertFresh(
    tx: Tx,
    run: Run,
    chain: readonly PlacedBackup[],
  ): Promise<{ readonly known: ReadonlyMap<string, boolean>; readonly name: string | null }> {
    await lockImports(tx, run.target.workspaceId);
    const ids = chain.map(({ backup }) => backup.manifest.backupId);
    const known = new Map((await knownBackups(tx, ids)).map(({ id, usable }) => [id, usable]));
    const fresh = chain.filter(({ backup }) => !known.has(backup.manifest.backupId));
    if (!run.dryRun && fresh.length > 0) await this.insert(tx, run, fresh);
    const [first] = chain;
    return { known, name: first === undefined ? null : await databaseName(tx, first.backup.manifest.databaseId) };
  }

  private async insert(tx: Tx, { actor, target, signers }: Run, fresh: readonly PlacedBackup[]): Promise<void> {
    for (const placed of fresh) {
      const { agentId } = placed.backup.manifest;
      await ensureAgent(tx, target, { agentId, signPublicKey: signers.agents.get(agentId) ?? '' });
      await ensureDatabase(tx, target, placed.backup);
      const jobId = await ensureJob(tx, target, placed.backup);
      await insertImported(tx, { ...target, jobId }, placed);
      crashPoint('api.import.mid');
    }
    const { manifest } = fresh[0]?.backup ?? {};
    await this.audit.record(tx, {
      workspaceId: target.workspaceId,
      actor,
      action: 'storage.imported',
      targetType: 'storage',
      targetId: target.storageId,
      detail: { databaseId: manifest?.databaseId, chainId: manifest?.chain.id, backups: fresh.length },
    });
  }
}

function tell(tally: ImportTally, backup: GenuineBackup, usable: boolean | undefined, name: string | null): void {
  if (usable === false) {
    const error = conflict('The history of this workspace holds this backup as deleted, failed or running.');
    tally.refuse(backup.manifestKey, error);
    return;
  }
  if (usable === true) tally.alreadyKnown += 1;
  else tally.imported += 1;
  tally.count(backup, name ?? importedName(backup.manifest.databaseId));
}
