import type { BackupSource, SourceRange } from '@rahatback/storage/agent';
import { Readable } from 'node:stream';

/** Stored bytes `start` to `end` of an object, or other bytes in their place. */
export type Piece = { readonly object: string; readonly start: number; readonly end: number } | { readonly bytes: Buffer };

/** What an object is said to be now. `sizeBytes`: what the store says, when that is not the truth. Null: it is gone. */
export type Alteration = { readonly pieces: readonly Piece[]; readonly sizeBytes?: number } | null;

const lengthOf = (piece: Piece): number => ('bytes' in piece ? piece.bytes.length : piece.end - piece.start);

/** A backup of which some objects are not as they were written; nothing is copied. */
export class AlteredSource implements BackupSource {
  constructor(
    private readonly source: BackupSource,
    private readonly alterations: Readonly<Record<string, Alteration>>,
  ) {}

  async stat(object: string): Promise<{ readonly sizeBytes: number }> {
    const altered = this.alterations[object];
    if (altered === undefined) return this.source.stat(object);
    // The store's own words for an object that is not there.
    if (altered === null) return this.source.stat(`${object}.gone`);
    return { sizeBytes: altered.sizeBytes ?? altered.pieces.reduce((sum, piece) => sum + lengthOf(piece), 0) };
  }

  async read(object: string, range?: SourceRange): Promise<Readable> {
    const altered = this.alterations[object];
    if (altered === undefined) return this.source.read(object, range);
    if (altered === null) return this.source.read(`${object}.gone`, range);
    const end = range?.end ?? Number.POSITIVE_INFINITY;
    return Readable.from(this.bytes(altered.pieces, range?.start ?? 0, end), { objectMode: false });
  }

  private async *bytes(pieces: readonly Piece[], start: number, end: number): AsyncGenerator<Buffer> {
    let at = 0;
    for (const piece of pieces) {
      const from = Math.max(0, start - at);
      const to = Math.min(lengthOf(piece), end - at);
      at += lengthOf(piece);
      if (from >= to) continue;
      if ('bytes' in piece) yield piece.bytes.subarray(from, to);
      else
        yield* (await this.source.read(piece.object, {
          start: piece.start + from,
          end: piece.start + to,
        })) as AsyncIterable<Buffer>;
    }
  }
}
