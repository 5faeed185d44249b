import { buffer } from 'node:stream/consumers';
import { Injectable } from '@nestjs/common';
import type { UploadPublishAnswer } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { StorageBackend } from '@rahatback/storage';
import { Database } from '../../platform/database/database.js';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { AgentDirectory } from '../agents/index.js';
import { AgentPublication } from './agent-publication.service.js';
import { publishedContentOf, publishedObjectOf, reportOf } from './agent-frames.js';
import { AttemptGuard, fenced, isCurrent } from './attempt-guard.service.js';
import { AttemptStorage } from './attempt-storage.service.js';
import { currentAttempt, markUnclean } from './backup-attempt.repository.js';
import { expectationOf, orderOf } from './backup-expectation.js';
import { findObject, keepStored, objectKey } from './backup-object.repository.js';
import { BackupSettlement, type Work } from './backup-settlement.service.js';
import type { BackupRow } from './backup.entity.js';
import { beginPublishing, stopPublishing, tryLockBackup } from './backup.repository.js';
import { checkKeys } from './keys-acceptance.js';
import { acceptManifest, sha256Hex, type AcceptedManifest } from './manifest-acceptance.js';

const MANIFEST = 'manifest.json';

interface Ready {
  readonly work: Work;
  readonly backend: StorageBackend;
  readonly accepted: AcceptedManifest;
}

/**
 * Small objects, and above all the manifest, whose appearance in the storage is the commit point: before it there is no backup, after it the row
 * can only become `success`. Everything here may run twice and in two processes at once: equal bytes are one publication, other bytes are refused.
 */
@Injectable()
export class BackupPublication {
  constructor(
    private readonly database: Database,
    private readonly keys: ServerKeys,
    private readonly agents: AgentDirectory,
    private readonly guard: AttemptGuard,
    private readonly storage: AttemptStorage,
    private readonly settlement: BackupSettlement,
    private readonly onAgent: AgentPublication,
  ) {}

  /** @throws AppError MANIFEST_INVALID, OBJECT_EXISTS, FENCED */
  async publish(agent: AgentSession, message: unknown): Promise<UploadPublishAnswer> {
    const object = publishedObjectOf(message);
    const content = publishedContentOf(message);
    if (await this.onAgent.takes(agent, message)) return this.onAgent.publish(agent, message, { object, content });
    return object === MANIFEST
      ? this.publishManifest(agent, message, content)
      : this.publishKeys(agent, message, { object, content });
  }

  private async publishKeys(
    agent: AgentSession,
    message: unknown,
    { object, content }: { object: string; content: Buffer },
  ): Promise<UploadPublishAnswer> {
    const report = reportOf(message);
    const sha256 = sha256Hex(content);
    const { place, row, backend } = await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const work = await this.guard.current(tx, agent, report);
      if (work.backup.publishing)
        throw new AppError('CONFLICT', 'The manifest is being published: nothing can be added any more.');
      checkKeys(object, content, await orderOf(tx, work), agent.agentId);
      const at = this.storage.placeOf(work);
      return { place: at, row: await findObject(tx, at, object), backend: await this.storage.open(tx, work.backup) };
    });
    if (row !== null && row.sha256 !== sha256) {
      throw new AppError('OBJECT_EXISTS', `Another ${object} exists already and is never overwritten.`, { object });
    }
    const key = objectKey(place, object);
    if (row === null) await backend.putIfAbsent(key, content);
    const counts = await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const work = await this.guard.find(tx, agent, report, true);
      if (isCurrent(work)) await keepStored(tx, place, { object, sizeBytes: content.length, sha256 });
      else await markUnclean(tx, place);
      return isCurrent(work);
    });
    if (counts) return { sha256 };
    await backend.delete(key);
    throw fenced();
  }

  private async publishManifest(agent: AgentSession, message: unknown, content: Buffer): Promise<UploadPublishAnswer> {
    const ready = await this.prepare(agent, message, content);
    if ('sha256' in ready) return ready;
    const { work, backend, accepted } = ready;
    const place = this.storage.placeOf(work);
    // An upload that a process left open when it died belongs to no object of this backup.
    await this.storage.abortUploads(backend, place);
    crashPoint('api.publish.before_put');
    await backend.putIfAbsent(objectKey(place, MANIFEST), accepted.bytes);
    crashPoint('api.publish.after_put');
    const settled = await this.settle(work, accepted);
    crashPoint('api.publish.after_commit');
    if (settled) return { sha256: accepted.sha256 };
    await backend.delete(objectKey(place, MANIFEST));
    throw fenced();
  }

  /** Decides, in one transaction, that this manifest and no other end of the attempt is to come; or that it has come already. */
  private async prepare(agent: AgentSession, message: unknown, content: Buffer): Promise<Ready | UploadPublishAnswer> {
    const report = reportOf(message);
    const { signPublicKey } = await this.agents.publicKeys(agent.agentId);
    return this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const work = await this.guard.find(tx, agent, report, true);
      if (!isCurrent(work) && work.attempt.state !== 'success') throw fenced();
      const accepted = acceptManifest(content, await expectationOf(tx, work, signPublicKey), this.keys.manifestKey);
      if (work.attempt.state === 'success') {
        if (work.backup.manifestSha256 === accepted.sha256) return { sha256: accepted.sha256 };
        throw new AppError('OBJECT_EXISTS', 'Another manifest of this backup is published already and is never overwritten.');
      }
      if (!(await beginPublishing(tx, this.storage.placeOf(work)))) throw fenced();
      return { work, accepted, backend: await this.storage.open(tx, work.backup) };
    });
  }

  /** @returns whether the backup is now a success with this very manifest, by this call or by another one */
  private settle(prepared: Work, accepted: AcceptedManifest): Promise<boolean> {
    return this.database.inWorkspace(prepared.backup.workspaceId, async (tx) => {
      const work = await this.guard.again(tx, prepared);
      if (isCurrent(work) && (await this.settlement.succeed(tx, work, accepted.change))) return true;
      if (work.backup.status === 'success' && work.backup.manifestSha256 === accepted.sha256) return true;
      await markUnclean(tx, this.storage.placeOf(prepared));
      return false;
    });
  }

  /** What a dead process left half done is decided by the storage: with its manifest there the backup is a success, without it goes on. */
  async recover(backup: BackupRow): Promise<void> {
    const found = await this.database.inWorkspace(backup.workspaceId, async (tx) => {
      const attempt = await currentAttempt(tx, backup);
      return attempt === null ? null : { attempt, backend: await this.storage.open(tx, backup) };
    });
    if (found === null) return;
    const work: Work = { backup, attempt: found.attempt };
    const content = await readIfThere(found.backend, objectKey(this.storage.placeOf(work), MANIFEST));
    if (content === null) return this.goOn(work);
    const accepted = await this.acceptStored(work, content).catch((error: unknown) => this.refuse(work, error));
    if (accepted !== null) await this.settle(work, accepted);
  }

  private async acceptStored(work: Work, content: Buffer): Promise<AcceptedManifest> {
    const { signPublicKey } = await this.agents.publicKeys(work.backup.agentId);
    const accepted = await this.database.inWorkspace(work.backup.workspaceId, async (tx) =>
      acceptManifest(content, await expectationOf(tx, work, signPublicKey), this.keys.manifestKey),
    );
    if (sha256Hex(content) === accepted.sha256) return accepted;
    throw new AppError('MANIFEST_INVALID', 'The manifest in the storage is not as this server signed it. Run the backup again.');
  }

  /** Somebody else wrote that manifest: it makes no backup, and its place is emptied. */
  private async refuse(work: Work, error: unknown): Promise<null> {
    if (!(error instanceof AppError) || error.code !== 'MANIFEST_INVALID') throw error;
    await this.database.inWorkspace(work.backup.workspaceId, async (tx) => {
      const now = await this.guard.again(tx, work);
      if (!isCurrent(now) || !(await stopPublishing(tx, this.storage.placeOf(now)))) return;
      await this.settlement.fail(tx, now, { code: error.code, message: error.message, tellAgent: true }, 'fail');
    });
    return null;
  }

  private goOn({ backup, attempt }: Work): Promise<void> {
    return this.database.inWorkspace(backup.workspaceId, async (tx) => {
      const locked = await tryLockBackup(tx, backup.id);
      if (locked?.publishingAt?.getTime() !== backup.publishingAt?.getTime()) return;
      await stopPublishing(tx, { backupId: backup.id, fence: attempt.fence });
    });
  }
}

const readIfThere = async (backend: StorageBackend, key: string): Promise<Buffer | null> =>
  (await backend.stat(key)) === undefined ? null : buffer(await backend.read(key));
