import { AppError } from '@rahatback/contracts';
import type { ByteRange } from '@rahatback/storage';

/**
 * One range of RFC 9110 (`bytes=0-99`, `bytes=100-`, `bytes=-100`), its end cut to the object's. Undefined: everything, also for a unit or a list of
 * ranges that we do not know, as the RFC allows.
 * @throws AppError VALIDATION when the range begins behind the object's end
 */
export function byteRangeOf(header: string | undefined, sizeBytes: number): Required<ByteRange> | undefined {
  const asked = positionsOf(header, sizeBytes);
  if (!asked) return undefined;
  const { start, end } = { start: asked.start, end: Math.min(sizeBytes, asked.end) };
  if (start < end) return { start, end };
  throw new AppError('VALIDATION', `The range lies outside the object, which has ${sizeBytes} bytes.`, { sizeBytes });
}

function positionsOf(header: string | undefined, sizeBytes: number): Required<ByteRange> | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (!first && !last) return undefined;
  if (!first) return { start: Math.max(0, sizeBytes - Number(last)), end: sizeBytes };
  if (!last) return { start: Number(first), end: sizeBytes };
  return Number(last) < Number(first) ? undefined : { start: Number(first), end: Number(last) + 1 };
}
