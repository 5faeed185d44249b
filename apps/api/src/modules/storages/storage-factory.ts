import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { LocalBackend, S3Backend, withRetry, type LocalUrlSigner, type StorageBackend } from '@rahatback/storage';
import { AppConfig } from '../../platform/config/app-config.js';
import type { Tx } from '../../platform/database/database.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { OutboundGuard } from '../../platform/outbound/outbound-guard.js';
import { agentFolderOf } from './agent-folder.js';
import { sealTicket, type LocalPlace } from './part-ticket.js';
import { CredentialVault, type StorageCredentials } from './storage-credentials.js';
import { DEFAULT_LOCAL_PATH } from './storage-settings.js';
import { StorageRow, type StorageSettings } from './storage.entity.js';

export interface OpenStorage {
  /** Patient: retries what may succeed later. */
  readonly backend: StorageBackend;
  /** Put it before `<workspace>/<database>/<backup>/<fence>/<object>`; empty, because the driver itself stands below the storage's folder or prefix. */
  readonly prefix: string;
}

interface Opened extends OpenStorage {
  /** What it was made of; another text means that the storage was changed. */
  readonly madeOf: string;
}

/** Clients keep connections; those of this many storages stay open. */
const MAX_OPEN = 200;

/** How long a person who tests a storage waits for one answer of it. */
const TEST_LIMITS = { connectTimeoutMs: 5_000, requestTimeoutMs: 15_000 };

/** Opens a workspace's storages with the credentials that only the server has. */
@Injectable()
export class StorageFactory {
  private readonly opened = new Map<string, Opened>();

  constructor(
    private readonly config: AppConfig,
    private readonly keys: ServerKeys,
    private readonly vault: CredentialVault,
    private readonly outbound: OutboundGuard,
  ) {}

  /**
   * Also opens a storage that was deleted in the meantime: what it holds must stay readable and removable.
   * @throws AppError NOT_FOUND, also for a storage of another workspace; HOST_FORBIDDEN; S3_CREDENTIALS when its keys are gone; CONFLICT for a folder
   * on an agent's own disk, which the server cannot reach
   */
  async open(tx: Tx, workspaceId: string, storageId: string): Promise<OpenStorage> {
    const row = await tx.findOneBy(StorageRow, { id: storageId, workspaceId });
    if (!row) throw new AppError('NOT_FOUND', 'There is no such storage in this workspace. Look at the list of storages.');
    if (agentFolderOf(row) !== null) throw onAgentDisk();
    const madeOf = JSON.stringify([row.settings, row.credentials]);
    const known = this.opened.get(row.id);
    if (known?.madeOf === madeOf) return known;
    const backend = withRetry(await this.build(row));
    const opened = { backend, prefix: '', madeOf };
    this.keep(row.id, opened);
    return opened;
  }

  /**
   * Asked before work begins: whether the server's own disk has that much room. Other storages cannot say, so they pass.
   * @throws AppError NO_SPACE with both numbers
   */
  async assertRoom(
    tx: Tx,
    place: { readonly workspaceId: string; readonly storageId: string },
    neededBytes: number,
  ): Promise<void> {
    const row = await tx.findOneBy(StorageRow, { id: place.storageId, workspaceId: place.workspaceId });
    if (row?.storageType !== 'local' || agentFolderOf(row) !== null) return;
    const subfolder = subfolderOf(row.workspaceId, row.settings);
    await this.local({ workspaceId: row.workspaceId, subfolder }).assertFreeSpace(neededBytes);
  }

  /** A storage as a request describes it, not patient: a person waits for the answer. */
  async forTest(workspaceId: string, settings: StorageSettings, credentials: StorageCredentials | null): Promise<StorageBackend> {
    if (credentials === null) return this.local({ workspaceId, subfolder: subfolderOf(workspaceId, settings) });
    return this.s3(settings, credentials, TEST_LIMITS);
  }

  /** The same, of a saved row. */
  async forTestOf(row: StorageRow): Promise<StorageBackend> {
    return this.forTest(row.workspaceId, row.settings, this.credentialsOf(row));
  }

  /** The server's own disk, where a ticket says. */
  local(place: LocalPlace): LocalBackend {
    return new LocalBackend({ root: this.config.storageRoot, subfolder: place.subfolder, signer: this.signerOf(place) });
  }

  private async build(row: StorageRow): Promise<StorageBackend> {
    const credentials = this.credentialsOf(row);
    if (credentials !== null) return this.s3(row.settings, credentials);
    return this.local({ workspaceId: row.workspaceId, subfolder: subfolderOf(row.workspaceId, row.settings) });
  }

  private credentialsOf(row: StorageRow): StorageCredentials | null {
    if (row.storageType === 'local') return null;
    if (row.credentials === null) {
      throw new AppError(
        'S3_CREDENTIALS',
        'This storage was deleted and its keys with it. Add the storage again to reach what it holds.',
      );
    }
    return this.vault.open(row, row.credentials);
  }

  private signerOf(place: LocalPlace): LocalUrlSigner {
    const urlOf = (ticket: string): { url: string } => ({
      url: new URL(`v1/parts/${ticket}`, withSlash(this.config.publicUrl)).href,
    });
    return {
      signPart: (part) => Promise.resolve(urlOf(sealTicket(this.keys.kek, { ...place, method: 'PUT', part }))),
      signRead: (read) => Promise.resolve(urlOf(sealTicket(this.keys.kek, { ...place, method: 'GET', read }))),
    };
  }

  /** Every connection of the driver passes the guard, also those at AWS, whose host the region makes. */
  private async s3(
    settings: StorageSettings,
    credentials: StorageCredentials,
    limits: { connectTimeoutMs?: number; requestTimeoutMs?: number } = {},
  ): Promise<S3Backend> {
    if (settings.endpoint !== undefined) await this.outbound.assertUrl(settings.endpoint);
    const { endpoint, region, prefix, forcePathStyle, storageClass, sse } = settings;
    return new S3Backend({
      bucket: settings.bucket ?? '',
      agents: this.outbound.agents(),
      ...credentials,
      ...limits,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      ...(prefix === undefined ? {} : { prefix }),
      ...(forcePathStyle === undefined ? {} : { forcePathStyle }),
      ...(storageClass === undefined ? {} : { storageClass }),
      ...(sse === undefined ? {} : { sse }),
    });
  }

  /** The one opened longest ago goes first; whoever still holds it may go on using it. */
  private keep(storageId: string, opened: Opened): void {
    this.opened.delete(storageId);
    this.opened.set(storageId, opened);
    for (const oldest of this.opened.keys()) {
      if (this.opened.size <= MAX_OPEN) break;
      this.opened.delete(oldest);
    }
  }
}

const onAgentDisk = (): AppError =>
  new AppError(
    'CONFLICT',
    "This storage is a folder on an agent's own disk: only that agent can read or write it. Use restore, verify or export there.",
  );

const withSlash = (url: string): string => (url.endsWith('/') ? url : `${url}/`);

/** A workspace never leaves its own folder: the first part is its id, the rest was checked when it was saved and is checked again by the driver. */
const subfolderOf = (workspaceId: string, settings: StorageSettings): string =>
  `${workspaceId}/${settings.path ?? DEFAULT_LOCAL_PATH}`;
