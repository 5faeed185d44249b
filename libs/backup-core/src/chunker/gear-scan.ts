import { GEAR } from './gear-table.js';

/** Bytes that a hash of 32 bits depends on: each shift moves one out. */
export const GEAR_WINDOW = 32;
const LANE_BYTES = 1024;
/** Bytes that `mayCut` looks at: four lanes. */
export const SCAN_BYTES = 4 * LANE_BYTES;

const next = (hash: number, byte: number | undefined): number => ((hash << 1) + (GEAR[byte as number] as number)) | 0;

/** The hash of the bytes from `from` up to `to`. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0;
  for (let at = from; at < to; at += 1) hash = next(hash, bytes[at]);
  return hash;
}

/**
 * Whether one of the SCAN_BYTES hashes from `from` on has its highest 32 - `shift` bits all zero. Four places are followed at once: each hash waits
 * for the one before it, so one alone leaves most of the processor idle. Needs GEAR_WINDOW bytes before `from`.
 */
export function mayCut(bytes: Uint8Array, from: number, shift: number): boolean {
  const second = from + LANE_BYTES;
  const third = second + LANE_BYTES;
  const fourth = third + LANE_BYTES;
  let a = hashOf(bytes, from - GEAR_WINDOW, from);
  let b = hashOf(bytes, second - GEAR_WINDOW, second);
  let c = hashOf(bytes, third - GEAR_WINDOW, third);
  let d = hashOf(bytes, fourth - GEAR_WINDOW, fourth);
  for (let at = 0; at < LANE_BYTES; at += 1) {
    a = next(a, bytes[from + at]);
    b = next(b, bytes[second + at]);
    c = next(c, bytes[third + at]);
    d = next(d, bytes[fourth + at]);
    if (a >>> shift === 0 || b >>> shift === 0 || c >>> shift === 0 || d >>> shift === 0) return true;
  }
  return false;
}

/** End of the first cut from `from` up to `to`, or 0. The hash begins with the bytes from `warmFrom` on. */
export function firstCut(bytes: Uint8Array, warmFrom: number, [from, to]: readonly [number, number], shift: number): number {
  let hash = hashOf(bytes, warmFrom, from);
  for (let at = from; at < to; at += 1) {
    hash = next(hash, bytes[at]);
    if (hash >>> shift === 0) return at + 1;
  }
  return 0;
}
