import { Injectable, Logger } from '@nestjs/common';
import type { Confirmed, SignedRequest, UploadBeginAnswer, UploadCompleteAnswer } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { StorageBackend } from '@rahatback/storage';
import { MAX_PARTS_PER_VOLUME, STORAGE_PART_SIZE_BYTES } from '@rahatback/storage';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { completionOf, partOf, reportOf, uploadedObjectOf } from './agent-frames.js';
import { AttemptGuard, fenced, isCurrent } from './attempt-guard.service.js';
import { AttemptStorage, type Place } from './attempt-storage.service.js';
import { markUnclean } from './backup-attempt.repository.js';
import type { BackupObjectRow } from './backup-object.entity.js';
import { findObject, forgetOpenObjects, keepStored, keepUpload, objectKey, objectsOf } from './backup-object.repository.js';
import type { StoredObjectFacts } from './backup-object.repository.js';

const CONFIRMED: Confirmed = { confirmed: true };
const HOW_TO_CUT: UploadBeginAnswer = { partSizeBytes: STORAGE_PART_SIZE_BYTES, maxParts: MAX_PARTS_PER_VOLUME };

const missing = (object: string): AppError =>
  new AppError('UPLOAD_MISSING', `There is no open upload of ${object}. Begin it first.`, { object });

const exists = (object: string): AppError =>
  new AppError('OBJECT_EXISTS', `${object} is stored already and is never overwritten.`, { object });

interface Target extends Place {
  readonly backend: StorageBackend;
  readonly row: BackupObjectRow | null;
}

/**
 * Data and index go to the storage in parts. Storage calls are made between two transactions: the first finds out whether the attempt counts, the
 * second whether it still does. What a lost attempt has brought into being in between is handed to the cleanup.
 */
@Injectable()
export class BackupUploads {
  private readonly log = new Logger(BackupUploads.name);

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly guard: AttemptGuard,
    private readonly storage: AttemptStorage,
  ) {}

  /** The same object again is the same upload. */
  async begin(agent: AgentSession, message: unknown): Promise<UploadBeginAnswer> {
    const object = uploadedObjectOf(message);
    const target = await this.target(agent, message, object);
    if (target.row?.state === 'stored') throw exists(object);
    if (target.row !== null) return HOW_TO_CUT;
    const key = objectKey(target, object);
    const uploadId = await target.backend.createUpload(key);
    crashPoint('api.upload.after_begin');
    const kept = await this.keep(agent, message, target, { object, uploadId }).catch(async (error: unknown) => {
      await this.abortQuietly(target.backend, key, uploadId);
      throw error;
    });
    if (kept.uploadId !== uploadId) await this.abortQuietly(target.backend, key, uploadId);
    if (kept.state === 'stored') throw exists(object);
    return HOW_TO_CUT;
  }

  async part(agent: AgentSession, message: unknown): Promise<SignedRequest> {
    const object = uploadedObjectOf(message);
    const part = partOf(message);
    const target = await this.target(agent, message, object);
    if (target.row?.uploadId == null || target.row.state !== 'open') throw missing(object);
    return target.backend.signPart({
      key: objectKey(target, object),
      uploadId: target.row.uploadId,
      partNumber: part.partNumber,
      sizeBytes: part.sizeBytes,
      sha256Hex: part.sha256,
      md5Base64: part.md5,
      expiresInSeconds: this.config.uploadUrlSeconds,
    });
  }

  /** The same completion again is confirmed again. */
  async complete(agent: AgentSession, message: unknown): Promise<UploadCompleteAnswer> {
    const object = uploadedObjectOf(message);
    const { sizeBytes, sha256, parts } = completionOf(message);
    const target = await this.target(agent, message, object);
    if (target.row?.state === 'stored') {
      if (target.row.sizeBytes === sizeBytes && target.row.sha256 === sha256) return CONFIRMED;
      throw exists(object);
    }
    if (target.row?.uploadId == null) throw missing(object);
    crashPoint('api.upload.before_complete');
    const completing = target.backend.completeUpload({
      key: objectKey(target, object),
      uploadId: target.row.uploadId,
      expectedSizeBytes: sizeBytes,
      parts: parts.map(({ partNumber, sizeBytes: partBytes, etag, md5 }) => ({
        partNumber,
        sizeBytes: partBytes,
        etag: etag.replaceAll('"', ''),
        md5Hex: Buffer.from(md5, 'base64').toString('hex'),
      })),
    });
    const { stamp, error } = await completing.then(
      (stat) => ({ stamp: stat.stamp, error: null }),
      (cause: unknown) => ({ stamp: undefined, error: { cause } }),
    );
    crashPoint('api.upload.after_complete');
    const stored = error === null ? { object, sizeBytes, sha256, ...(stamp === undefined ? {} : { stamp }) } : null;
    if (await this.recordStored(agent, message, target, stored)) {
      if (error !== null) throw error.cause;
      return stamp === undefined ? CONFIRMED : { ...CONFIRMED, stamp };
    }
    await target.backend.delete(objectKey(target, object));
    throw fenced();
  }

  /** Frees what was begun and not completed. The attempt that asks is about to fail; an ended one is left to the cleanup. */
  async abort(agent: AgentSession, message: unknown): Promise<Confirmed> {
    const report = reportOf(message);
    const open = await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const work = await this.guard.find(tx, agent, report, true);
      if (!isCurrent(work) || work.backup.publishing) return null;
      const place = this.storage.placeOf(work);
      const objects = (await objectsOf(tx, place)).filter((row) => row.state === 'open');
      await forgetOpenObjects(tx, place);
      return { place, objects, backend: await this.storage.open(tx, work.backup) };
    });
    for (const row of open?.objects ?? []) {
      if (open !== null && row.uploadId !== null) await open.backend.abortUpload(objectKey(open.place, row.object), row.uploadId);
    }
    return CONFIRMED;
  }

  /** `stored` null: it came to nothing. @returns whether the attempt still counts; if not, its place is marked for the cleanup */
  private recordStored(agent: AgentSession, message: unknown, place: Place, stored: StoredObjectFacts | null): Promise<boolean> {
    return this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const work = await this.guard.find(tx, agent, reportOf(message), true);
      if (!isCurrent(work)) await markUnclean(tx, place);
      else if (stored !== null) await keepStored(tx, place, stored);
      return isCurrent(work);
    });
  }

  private target(agent: AgentSession, message: unknown, object: string): Promise<Target> {
    const report = reportOf(message);
    return this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const work = await this.guard.current(tx, agent, report);
      if (work.backup.publishing)
        throw new AppError('CONFLICT', 'The manifest is being published: nothing can be added any more.');
      const place = this.storage.placeOf(work);
      return { ...place, row: await findObject(tx, place, object), backend: await this.storage.open(tx, work.backup) };
    });
  }

  private keep(
    agent: AgentSession,
    message: unknown,
    place: Place,
    upload: { readonly object: string; readonly uploadId: string },
  ): Promise<BackupObjectRow> {
    return this.database.inWorkspace(agent.workspaceId, async (tx) => {
      await this.guard.current(tx, agent, reportOf(message), true);
      return keepUpload(tx, place, upload.object, upload.uploadId);
    });
  }

  /** What stays behind is found when the attempt is published or cleaned up: both look at what the storage itself lists. */
  private async abortQuietly(backend: StorageBackend, key: string, uploadId: string): Promise<void> {
    await backend.abortUpload(key, uploadId).catch((error: unknown) => {
      this.log.warn({ err: error }, 'An unused upload could not be aborted; it is found again when its attempt ends.');
    });
  }
}
