import type { Readable } from 'node:stream';

/** Bytes `start` up to, not including, `end`; without `end` to the object's end. */
export interface SourceRange {
  readonly start: number;
  readonly end?: number;
}

export interface StoredObject {
  readonly sizeBytes: number;
  /** Opaque; another one as soon as the object was written anew. Absent where the place says nothing of the kind. */
  readonly stamp?: string;
}

/** Where a backup's objects are read from. Names are relative to the attempt, as in BackupSink. */
export interface BackupSource {
  /** OBJECT_MISSING when there is no such object. */
  stat(object: string): Promise<StoredObject>;
  /** Opens an object or a range that must lie within it, else DATA_TRUNCATED. A broken connection is resumed; the stream must be read or destroyed. */
  read(object: string, range?: SourceRange): Promise<Readable>;
}
