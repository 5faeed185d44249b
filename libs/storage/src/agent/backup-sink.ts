/** Where a backup's objects go. Names are relative to the attempt: `data-00001`, `index`, `keys-1.json`, `manifest.json`. */
export interface BackupSink {
  /** Starts a large object. Several may be open at once; each keeps its own part buffers. */
  beginObject(object: string): Promise<ObjectSink>;
  /** Writes a small object (≤ 256 KiB) if its name is free; OBJECT_EXISTS if other bytes stand there. May run twice with the same bytes. */
  publish(object: string, bytes: Buffer): Promise<void>;
  /** Gives everything up: what is being sent stops, and uploads not completed are freed. May run at any time and twice. */
  abort(): Promise<void>;
}

export interface ObjectSink {
  /** Takes the bytes, which may be reused when this resolves. Waits while all part buffers are on their way. Throws what an earlier part failed with. */
  write(bytes: Buffer): Promise<void>;
  /** Ends the object: resolves when the store has confirmed every byte of it. Size and SHA-256 (hex) are those of the stored bytes. */
  complete(): Promise<CompletedObject>;
}

export interface CompletedObject {
  readonly sizeBytes: number;
  readonly sha256: string;
  /** The store's stamp of it, as `BackupSource.stat` gives it. */
  readonly stamp?: string;
}

/** Where a kill is worth testing. */
export type UploadPoint = 'upload.part.before_put' | 'upload.part.after_put' | 'upload.after_last_part';
