import type { ErrorCode } from '@rahatback/contracts';
import type { ObjectRecord } from '../volumes/encrypted-object.js';
import type { Alteration, Piece } from './altered-source.suite.js';

const SEGMENT_BYTES = 1_048_576;

/** Where a segment lies in the stored object; the header counts into the first. */
export const storedSegment = ({ storedBytes }: ObjectRecord, segment: number): { start: number; end: number } => ({
  start: segment * SEGMENT_BYTES,
  end: Math.min((segment + 1) * SEGMENT_BYTES, storedBytes),
});

/** What somebody did to the segments of one volume. */
export interface Rearrangement {
  readonly name: string;
  readonly alteration: Alteration;
  /** The segment that must be named, and the one whose reading shows it. */
  readonly segment: number;
  readonly readAt: number;
  /** The segment at which somebody who reads everything in order is stopped. */
  readonly firstHarmed: number;
  readonly code: ErrorCode;
}

/**
 * For every segment of a volume: swapped, dropped, repeated, appended, cut off, replaced by one of another volume. Each that changes the size comes
 * twice: as the store would say it, and with a store that gives the size that is expected.
 */
export function* rearrangements(record: ObjectRecord, other: ObjectRecord): Generator<Rearrangement> {
  for (let segment = 0; segment < record.segments; segment += 1) yield* ofSegment(record, other, segment);
}

function* ofSegment(record: ObjectRecord, other: ObjectRecord, segment: number): Generator<Rearrangement> {
  const { name: object, storedBytes, segments } = record;
  const { start, end } = storedSegment(record, segment);
  const before: Piece = { object, start: 0, end: start };
  const self: Piece = { object, start, end };
  const after: Piece = { object, start: end, end: storedBytes };
  const at = (name: string, pieces: readonly Piece[], shown = segment): Rearrangement => ({
    name: `segment ${segment} ${name}`,
    alteration: { pieces, sizeBytes: storedBytes },
    segment: shown,
    readAt: shown,
    firstHarmed: shown,
    code: 'DATA_CORRUPT',
  });
  /** The store tells the true size: no byte is read. The sizes part in the last segment, or behind it. */
  const resized = (name: string, pieces: readonly Piece[], sizeBytes: number): Rearrangement => {
    const parted = Math.floor(Math.min(sizeBytes, storedBytes) / SEGMENT_BYTES);
    return {
      name: `segment ${segment} ${name}`,
      alteration: { pieces },
      segment: parted,
      readAt: segment,
      firstHarmed: parted,
      code: 'DATA_TRUNCATED',
    };
  };
  const length = end - start;
  const filler: Piece = { bytes: Buffer.alloc(length) };
  yield resized('dropped', [before, after], storedBytes - length);
  yield at('dropped, size kept', [before, after, filler]);
  yield resized('repeated', [before, self, self, after], storedBytes + length);
  yield resized('appended', [before, self, after, self], storedBytes + length);
  yield { ...at('cut off, size kept', [before]), code: 'DATA_TRUNCATED' };
  yield resized('cut off', [before], start);
  if (segment + 1 < segments) {
    const next = storedSegment(record, segment + 1);
    const neighbour: Piece = { object, ...next };
    const rest: Piece = { object, start: next.end, end: storedBytes };
    const swapped = [before, neighbour, self, rest];
    yield at('swapped with the next', swapped);
    // Without the first segment there is no header, and nothing else is looked at.
    if (segment > 0) yield { ...at('swapped with the one before', swapped, segment + 1), firstHarmed: segment };
    yield at('repeated, size kept', [before, self, self, after], segment + 1);
  }
  if (other !== record && segment < other.segments) {
    const foreign: Piece = { object: other.name, ...storedSegment(other, segment) };
    const size = foreign.end - foreign.start;
    const fitted: Piece[] =
      size >= length ? [{ ...foreign, end: foreign.start + length }] : [foreign, { bytes: Buffer.alloc(length - size) }];
    // The head of an object is part of segment 0: with it the whole key is another.
    yield at(`taken from ${other.name}`, [before, ...fitted, after]);
  }
}
