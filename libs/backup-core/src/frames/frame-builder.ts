/** Plain bytes after which a frame is closed (docs/adr/0001). A frame is shorter than this plus one chunk. */
export const FRAME_TARGET_BYTES = 1024 * 1024;

/** What a reader accepts: room for later writers, yet no frame can be a bomb. */
export const FRAME_MAX_PLAIN_BYTES = 16 * 1024 * 1024;

/** One frame that is being filled; `offset` is where the next chunk begins in its plain bytes. */
export interface OpenFrame {
  readonly chunks: Buffer[];
  plainLength: number;
}

export const newFrame = (): OpenFrame => ({ chunks: [], plainLength: 0 });

/** Adds a chunk and answers its offset in the frame's plain bytes. */
export function addChunk(frame: OpenFrame, chunk: Buffer): number {
  const offset = frame.plainLength;
  frame.chunks.push(chunk);
  frame.plainLength += chunk.length;
  return offset;
}

/** The plain bytes of a frame in one buffer: without a copy when its chunks are neighbours in one slab, as they are in a full backup. */
export function framePlain({ chunks, plainLength }: OpenFrame): Buffer {
  const [first] = chunks;
  if (!first) return Buffer.alloc(0);
  let end = first.byteOffset;
  const neighbours = chunks.every((chunk) => {
    const joins = chunk.buffer === first.buffer && chunk.byteOffset === end;
    end += chunk.length;
    return joins;
  });
  return neighbours ? Buffer.from(first.buffer, first.byteOffset, plainLength) : Buffer.concat(chunks, plainLength);
}
