import { Injectable, Logger } from '@nestjs/common';
import { AppError, type ReconcileAnswer } from '@rahatback/contracts';
import { MANIFEST_OBJECT } from '@rahatback/backup-core/manifest';
import type { ObjectStat, StorageBackend } from '@rahatback/storage';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { AuditTrail } from '../audit/index.js';
import { attemptPrefix, keepStamp, objectsOf, originOf, type BackupRow } from '../backups/index.js';
import { compareBackup, damageAfter, type ExpectedObject } from './compare-backup.js';
import { DifferenceReport } from './difference-report.js';
import { setDamage, standingsOf, successfulAfter, workspaceFolders, type AttemptStanding } from './reconcile.repository.js';
import { ServerStorages } from './server-storages.js';
import { orderOf, storedBackups, type StoredBackup } from './stored-backups.js';

export interface ReconcileRequest {
  readonly workspaceId: string;
  readonly storageId: string;
  readonly actor: Actor | 'system';
  readonly deep: boolean;
}

interface Run extends ReconcileRequest {
  readonly backend: StorageBackend;
  readonly report: DifferenceReport;
  /** Kept until the whole storage is read: a listing that breaks changes nothing. */
  readonly damages: Map<string, string | null>;
  readonly stamps: { readonly backupId: string; readonly fence: number; readonly object: string; readonly stamp: string }[];
}

type Objects = ReadonlyMap<string, ObjectStat>;

const NO_ATTEMPTS: ReadonlyMap<number, Objects> = new Map();
const NOTHING: Objects = new Map();

const HOW_TO_CLEAN =
  'If you are sure that nothing needs it, remove it with the tools of your storage; RahatBack never deletes what it does not know.';
const UNKNOWN = `No backup of this history consists of it. Where backups of a lost server are to come back, import the storage. ${HOW_TO_CLEAN}`;
const OVER = `It was left behind by an attempt that has ended or a backup that was deleted. ${HOW_TO_CLEAN}`;
const UNSETTLED = 'Its backup is not settled yet: the server is about to, and nothing needs to be done.';

const idsOf = (row: BackupRow) => ({ ...originOf(row), backupId: row.id });

/**
 * Compares what a storage holds with what the history says, both ways, in one pass over both in the order of the keys: as much memory as one
 * backup and one page of history take. Deletes nothing.
 */
@Injectable()
export class CatalogueReconcile {
  private readonly log = new Logger(CatalogueReconcile.name);
  private readonly busy = new Set<string>();

  constructor(
    private readonly database: Database,
    private readonly storages: ServerStorages,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws AppError NOT_FOUND, CONFLICT, ALREADY_RUNNING, or what the storage says; then nothing is changed */
  async run(request: ReconcileRequest): Promise<ReconcileAnswer> {
    const { workspaceId, storageId } = request;
    if (this.busy.has(storageId)) {
      throw new AppError('ALREADY_RUNNING', 'This storage is being reconciled already. Wait until that has ended.');
    }
    this.busy.add(storageId);
    try {
      const { backend } = await this.storages.open(workspaceId, storageId);
      const run: Run = { ...request, backend, report: new DifferenceReport(), damages: new Map(), stamps: [] };
      await this.merge(run);
      return await this.settle(run);
    } finally {
      this.busy.delete(storageId);
    }
  }

  private async merge(run: Run): Promise<void> {
    const history = this.history(run);
    let next = await history.next();
    for await (const stored of this.stored(run)) {
      if ('stranger' in stored) {
        run.report.add({ kind: 'orphaned', key: stored.stranger.key, backupId: null, message: UNKNOWN });
        continue;
      }
      const order = orderOf(stored);
      for (; !next.done && orderOf(idsOf(next.value)) < order; next = await history.next())
        await this.compare(run, next.value, NO_ATTEMPTS);
      if (!next.done && orderOf(idsOf(next.value)) === order) {
        await this.compare(run, next.value, stored.attempts);
        next = await history.next();
      } else {
        await this.judgeAttempts(run, stored);
      }
    }
    for (; !next.done; next = await history.next()) await this.compare(run, next.value, NO_ATTEMPTS);
  }

  private async *history({ workspaceId, storageId }: Run): AsyncGenerator<BackupRow, undefined> {
    let last: BackupRow | undefined;
    for (;;) {
      const after = last === undefined ? null : idsOf(last);
      const page = await this.database.inWorkspace(workspaceId, (tx) => successfulAfter(tx, storageId, after));
      yield* page;
      last = page.at(-1);
      if (last === undefined) return undefined;
    }
  }

  private async *stored({ workspaceId, storageId, backend, report }: Run) {
    const folders = await this.database.inWorkspace(workspaceId, (tx) => workspaceFolders(tx, workspaceId, storageId));
    async function* counted(): AsyncGenerator<ObjectStat> {
      for (const folder of folders) {
        for await (const stat of backend.list(`${folder}/`)) {
          report.objects += 1;
          report.bytes += stat.sizeBytes;
          yield stat;
        }
      }
    }
    yield* storedBackups(counted());
  }

  private async compare(run: Run, row: BackupRow, attempts: ReadonlyMap<number, Objects>): Promise<void> {
    const ids = idsOf(row);
    const prefix = attemptPrefix({ ...ids, fence: row.fence });
    const listed = attempts.get(row.fence) ?? NOTHING;
    const rows = await this.database.inWorkspace(run.workspaceId, (tx) => objectsOf(tx, { backupId: row.id, fence: row.fence }));
    const manifest: ExpectedObject = { object: MANIFEST_OBJECT, sizeBytes: null, sha256: row.manifestSha256, stamp: null };
    const expected = [...rows.filter(({ state }) => state === 'stored'), manifest];
    const onRestamped = (object: string, stamp: string): unknown =>
      run.stamps.push({ backupId: row.id, fence: row.fence, object, stamp });
    const findings = await compareBackup({ backend: run.backend, prefix, expected, listed, deep: run.deep, onRestamped });
    const standings = await this.standings(run, row.id);
    // Deleted while it was looked at: then what is missing is missing rightly.
    if (standings.get(row.fence) !== 'kept') return;
    run.report.backups += 1;
    for (const { kind, object, message } of findings) run.report.add({ kind, key: prefix + object, backupId: row.id, message });
    const damage = damageAfter(row.damage, findings, run.deep);
    if (damage !== undefined) run.damages.set(row.id, damage);
    const names = new Set(expected.map(({ object }) => object));
    for (const [name, { key }] of listed)
      if (!names.has(name)) run.report.add({ kind: 'orphaned', key, backupId: row.id, message: UNKNOWN });
    for (const [fence, objects] of attempts)
      if (fence !== row.fence) await this.judge(run, row.id, { standing: standings.get(fence), objects });
  }

  private async judgeAttempts(run: Run, stored: StoredBackup): Promise<void> {
    const standings = await this.standings(run, stored.backupId);
    for (const [fence, objects] of stored.attempts)
      await this.judge(run, stored.backupId, { standing: standings.get(fence), objects });
  }

  /** Objects of an attempt that is not what a kept backup consists of. */
  private async judge(
    { backend, report }: Run,
    backupId: string,
    { standing, objects }: { readonly standing: AttemptStanding | undefined; readonly objects: Objects },
  ): Promise<void> {
    const manifest = objects.get(MANIFEST_OBJECT);
    if (standing === 'running' && manifest) {
      report.add({ kind: 'orphaned', key: manifest.key, backupId, message: UNSETTLED });
    }
    if (standing !== undefined && standing !== 'over') return;
    for (const { key } of objects.values()) {
      // A deletion may have ended since the listing passed here.
      if (standing === 'over' && (await backend.stat(key)) === undefined) continue;
      report.add({ kind: 'orphaned', key, backupId: standing === 'over' ? backupId : null, message: standing ? OVER : UNKNOWN });
    }
  }

  private standings({ workspaceId }: Run, backupId: string): Promise<Map<number, AttemptStanding>> {
    return this.database.inWorkspace(workspaceId, (tx) => standingsOf(tx, backupId));
  }

  private async settle({ workspaceId, storageId, actor, deep, report, damages, stamps }: Run): Promise<ReconcileAnswer> {
    await this.database.inWorkspace(workspaceId, async (tx) => {
      let changed = 0;
      for (const [backupId, damage] of damages) if (await setDamage(tx, backupId, damage)) changed += 1;
      for (const { object, stamp, ...ref } of stamps) await keepStamp(tx, ref, object, stamp);
      const detail = { ...report.counts, deep, damageChanged: changed };
      await this.audit.record(tx, {
        workspaceId,
        actor,
        action: 'storage.reconciled',
        targetType: 'storage',
        targetId: storageId,
        detail,
      });
    });
    this.log.log({ storageId, ...report.counts, deep }, 'A storage was compared with the history.');
    return report.answer(storageId);
  }
}
