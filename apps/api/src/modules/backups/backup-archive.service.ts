import { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { AppError, type DownloadAnswer } from '@rahatback/contracts';
import type { ObjectStat, StorageBackend } from '@rahatback/storage';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database, type Tx } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { readTicket, signTicket } from '../../platform/keys/signed-ticket.js';
import { AuditTrail } from '../audit/index.js';
import { agentFolderAt } from '../storages/index.js';
import { AttemptStorage } from './attempt-storage.service.js';
import { archivedBackup, archiveFiles, archiveName, type BackupToArchive } from './backup-archive-content.js';
import { layOut, readArchive, type ArchiveLayout } from './backup-archive-layout.js';
import { linksOf, locationOf } from './backup-chain.js';
import { attemptPrefix, objectsOf } from './backup-object.repository.js';
import type { BackupRow } from './backup.entity.js';
import { getBackup, lockChain } from './backup.repository.js';

const PURPOSE = 'download ticket';
const MAX_SECONDS = 3600;

/** What the holder of a download's URL may read, and until when. */
interface DownloadTicket {
  readonly workspaceId: string;
  readonly backupId: string;
  readonly fence: number;
  readonly chain: boolean;
  readonly expiresAt: string;
}

/** A backup's rows, read in one transaction. */
interface Chosen {
  readonly backend: StorageBackend;
  /** The wanted one first, then those that it points into, oldest first. */
  readonly backups: readonly (Pick<BackupToArchive, 'backup' | 'rows'> & { readonly prefix: string })[];
}

export interface OpenArchive extends Pick<ArchiveLayout, 'sizeBytes' | 'etag'> {
  readonly fileName: string;
  read(range: { readonly start: number; readonly end: number }): Readable;
}

const conflict = (sentence: string): AppError => new AppError('CONFLICT', sentence);
const expired = (): AppError =>
  new AppError(
    'URL_EXPIRED',
    'This download address is wrong or has expired. Ask for a new one; the download goes on where it was.',
  );

/** Stored backups as one file for a person: a tar of the objects as they lie in the storage, and how to open them. */
@Injectable()
export class BackupArchives {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly keys: ServerKeys,
    private readonly storage: AttemptStorage,
    private readonly audit: AuditTrail,
  ) {}

  /** @throws AppError NOT_FOUND, CONFLICT, BACKUP_DAMAGED */
  async request(actor: Actor, backupId: string, chain: boolean): Promise<DownloadAnswer> {
    const { workspaceId } = actor;
    const chosen = await this.choose({ workspaceId, backupId, chain });
    const { layout, fileName } = await this.plan(chosen);
    const { fence } = await this.database.inWorkspace(workspaceId, async (tx) => {
      const event = { workspaceId, actor, action: 'backup.download_requested', targetType: 'backup', targetId: backupId };
      await this.audit.record(tx, { ...event, detail: { chain, sizeBytes: layout.sizeBytes } });
      return getBackup(tx, workspaceId, backupId);
    });
    const seconds = Math.min(this.config.uploadUrlSeconds, MAX_SECONDS);
    const expiresAt = new Date(Date.now() + seconds * 1000).toISOString();
    const ticket: DownloadTicket = { workspaceId, backupId, fence, chain, expiresAt };
    const { publicUrl } = this.config;
    const base = publicUrl.endsWith('/') ? publicUrl : `${publicUrl}/`;
    const url = new URL(`v1/downloads/${signTicket(this.keys.kek, PURPOSE, ticket)}`, base).href;
    return { url, fileName, sizeBytes: layout.sizeBytes, expiresAt };
  }

  /** @throws AppError URL_EXPIRED; NOT_FOUND, CONFLICT, BACKUP_DAMAGED when the backup has gone since */
  async open(text: string): Promise<OpenArchive> {
    const ticket = readTicket(this.keys.kek, PURPOSE, text) as DownloadTicket | undefined;
    if (ticket === undefined || Date.now() > Date.parse(ticket.expiresAt)) throw expired();
    const chosen = await this.choose(ticket);
    if (chosen.backups[0]?.backup.fence !== ticket.fence) throw expired();
    const { layout, fileName } = await this.plan(chosen);
    const open = (key: string, range: { start: number; end: number }): Promise<Readable> => chosen.backend.read(key, range);
    return {
      fileName,
      sizeBytes: layout.sizeBytes,
      etag: layout.etag,
      read: (range) => Readable.from(readArchive(layout, range, open), { objectMode: false }),
    };
  }

  private choose({ workspaceId, backupId, chain }: Pick<DownloadTicket, 'workspaceId' | 'backupId' | 'chain'>): Promise<Chosen> {
    return this.database.inWorkspace(workspaceId, async (tx) => {
      const wanted = await getBackup(tx, workspaceId, backupId);
      await assertDownloadable(tx, wanted);
      const backups = [wanted, ...(chain ? await linkRows(tx, wanted) : [])];
      const found: Chosen['backups'][number][] = [];
      for (const backup of backups) found.push(await withObjects(tx, backup));
      return { backend: await this.storage.open(tx, wanted), backups: found };
    });
  }

  private async plan({ backend, backups }: Chosen): Promise<{ layout: ArchiveLayout; fileName: string }> {
    const listed: BackupToArchive[] = [];
    for (const { prefix, ...backup } of backups) {
      const stats = new Map<string, ObjectStat>();
      for await (const stat of backend.list(prefix)) stats.set(stat.key.slice(prefix.length), stat);
      listed.push({ ...backup, stats });
    }
    const [wanted, ...links] = listed.map(archivedBackup);
    const newest = backups[0]?.backup;
    if (wanted === undefined || newest === undefined) throw new Error('A download has a backup.');
    return {
      layout: layOut(archiveFiles(wanted, links), newest.completedAt ?? newest.startedAt),
      fileName: archiveName(newest),
    };
  }
}

async function assertDownloadable(tx: Tx, backup: BackupRow): Promise<void> {
  if (backup.status !== 'success') throw conflict('Only a successful backup can be downloaded. Choose another one.');
  if (backup.deletingAt !== null) throw conflict('The backup is being deleted. Choose another one.');
  if ((await agentFolderAt(tx, backup.storageId)) === null) return;
  throw conflict(
    "This backup is on its agent's own disk, which the server cannot read. Export it: the agent writes it out there.",
  );
}

async function linkRows(tx: Tx, backup: BackupRow): Promise<BackupRow[]> {
  if (backup.chainId === null) return [];
  const chain = await lockChain(tx, backup.chainId);
  const ids = linksOf(backup, chain).map((link) => link.backupId);
  return ids.flatMap((id) => chain.find((row) => row.id === id) ?? []);
}

const withObjects = async (tx: Tx, backup: BackupRow): Promise<Chosen['backups'][number]> => ({
  backup,
  prefix: attemptPrefix(locationOf(backup)),
  rows: await objectsOf(tx, { backupId: backup.id, fence: backup.fence }),
});
