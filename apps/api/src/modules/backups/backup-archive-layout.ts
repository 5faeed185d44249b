import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Header, Pax } from 'tar';

export interface ArchiveFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Where its bytes are: here, or under a key of the storage. */
  readonly content: { readonly bytes: Buffer } | { readonly key: string; readonly sha256: string };
}

interface Piece {
  /** Of its first byte in the archive. */
  readonly offset: number;
  readonly sizeBytes: number;
  readonly content: { readonly bytes: Buffer } | { readonly key: string };
}

/** A tar whose every byte is known by its place before any object is read. */
export interface ArchiveLayout {
  readonly sizeBytes: number;
  /** Strong: equal ones are equal byte for byte. */
  readonly etag: string;
  readonly pieces: readonly Piece[];
}

const BLOCK = 512;
const FILE_MODE = 0o600;

/** One header block; before it a pax header where the size or the name does not fit into ustar's fields. */
function headerOf({ path, sizeBytes }: ArchiveFile, mtime: Date): Buffer {
  const entry = { path, mode: FILE_MODE, uid: 0, gid: 0, uname: '', gname: '', size: sizeBytes, mtime };
  const header = new Header({ ...entry, type: 'File' });
  const block = Buffer.alloc(BLOCK);
  const needsPax = header.encode(block, 0);
  return needsPax ? Buffer.concat([new Pax({ path, size: sizeBytes }).encode(), block]) : block;
}

/** Lays files out as a tar (POSIX ustar, pax where needed), in their order. The same files and time give the same bytes. */
export function layOut(files: readonly ArchiveFile[], mtime: Date): ArchiveLayout {
  const pieces: Piece[] = [];
  const hash = createHash('sha256');
  let offset = 0;
  const add = (sizeBytes: number, content: Piece['content']): void => {
    if (sizeBytes > 0) pieces.push({ offset, sizeBytes, content });
    offset += sizeBytes;
  };
  const addBytes = (bytes: Buffer): void => {
    hash.update(bytes);
    add(bytes.length, { bytes });
  };
  for (const file of files) {
    addBytes(headerOf(file, mtime));
    if ('bytes' in file.content) addBytes(file.content.bytes);
    else {
      hash.update(file.content.sha256);
      add(file.sizeBytes, { key: file.content.key });
    }
    addBytes(Buffer.alloc((BLOCK - (file.sizeBytes % BLOCK)) % BLOCK));
  }
  addBytes(Buffer.alloc(2 * BLOCK));
  return { sizeBytes: offset, etag: `"${hash.digest('hex')}"`, pieces };
}

export type OpenObject = (key: string, range: { readonly start: number; readonly end: number }) => Promise<Readable>;

/**
 * The bytes `start` up to, not including, `end`; of the storage only what lies in them. Holds one chunk of one object, and closes the object that it
 * reads when the reader goes away. Throws what the storage says: an archive never just ends.
 */
export async function* readArchive(
  { pieces }: ArchiveLayout,
  { start, end }: { readonly start: number; readonly end: number },
  open: OpenObject,
): AsyncGenerator<Buffer> {
  for (const { offset, sizeBytes, content } of pieces) {
    const from = Math.max(0, start - offset);
    const to = Math.min(sizeBytes, end - offset);
    if (from >= to) continue;
    if ('bytes' in content) yield content.bytes.subarray(from, to);
    else yield* readObject(await open(content.key, { start: from, end: to }), to - from);
  }
}

async function* readObject(source: Readable, expectedBytes: number): AsyncGenerator<Buffer> {
  let received = 0;
  try {
    for await (const chunk of source) {
      received += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  } finally {
    source.destroy();
  }
  if (received !== expectedBytes) throw new Error(`An object gave ${received} bytes instead of ${expectedBytes}.`);
}
