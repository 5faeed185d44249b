import type { DownloadControl } from '../agent/signed-url-source.js';
import type { UploadControl } from '../agent/upload-control.js';
import { MAX_PARTS_PER_VOLUME, STORAGE_PART_SIZE_BYTES } from '../limits.js';
import type { StorageBackend } from '../server/storage-backend.js';

export interface BackendControlOptions {
  readonly expiresInSeconds?: number;
  readonly maxParts?: number;
}

/** The server's side of an upload without a server: an UploadControl straight over a backend. For tests of sinks and pipelines. */
export function backendUploadControl(
  backend: StorageBackend,
  prefix: string,
  options: BackendControlOptions = {},
): UploadControl {
  const open = new Map<string, string>();
  const uploadOf = (object: string): string => {
    const uploadId = open.get(object);
    if (uploadId === undefined) throw new Error(`no upload of ${object}`);
    return uploadId;
  };
  return {
    async begin(object) {
      open.set(object, await backend.createUpload(`${prefix}/${object}`));
      return { partSizeBytes: STORAGE_PART_SIZE_BYTES, maxParts: options.maxParts ?? MAX_PARTS_PER_VOLUME };
    },
    signPart: (object, part) =>
      backend.signPart({
        key: `${prefix}/${object}`,
        uploadId: uploadOf(object),
        partNumber: part.partNumber,
        sizeBytes: part.sizeBytes,
        sha256Hex: part.sha256,
        md5Base64: part.md5,
        expiresInSeconds: options.expiresInSeconds ?? 600,
      }),
    async complete(object, upload) {
      const parts = upload.parts.map(({ partNumber, sizeBytes, etag, md5 }) => {
        return { partNumber, sizeBytes, etag, md5Hex: Buffer.from(md5, 'base64').toString('hex') };
      });
      const { stamp } = await backend.completeUpload({
        key: `${prefix}/${object}`,
        uploadId: uploadOf(object),
        parts,
        expectedSizeBytes: upload.sizeBytes,
      });
      open.delete(object);
      return stamp === undefined ? {} : { stamp };
    },
    async publish(object, bytes) {
      await backend.putIfAbsent(`${prefix}/${object}`, bytes);
    },
    async abort() {
      for (const [object, uploadId] of open) await backend.abortUpload(`${prefix}/${object}`, uploadId);
      open.clear();
    },
  };
}

/** The server's side of reading without a server. */
export function backendDownloadControl(
  backend: StorageBackend,
  prefix: string,
  options: BackendControlOptions = {},
): DownloadControl {
  return {
    async open(object) {
      const key = `${prefix}/${object}`;
      const stat = await backend.stat(key);
      if (!stat) throw new Error(`no object ${object}`);
      return {
        sizeBytes: stat.sizeBytes,
        ...(stat.stamp === undefined ? {} : { stamp: stat.stamp }),
        request: await backend.signRead({ key, expiresInSeconds: options.expiresInSeconds ?? 600 }),
      };
    },
  };
}
