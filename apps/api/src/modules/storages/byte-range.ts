import { AppError } from '@rahatback/contracts';
import type { ByteRange } from '@rahatback/storage';

/**
 * One range of RFC 9110 (`bytes=0-99`, `bytes=100-`, `bytes=-100`), its end cut to the object's. Undefined: everything, also for a unit or a list of
 * ranges that we do not know, as the RFC allows.
 * @throws AppError VALIDATION when the range begins behind the object's end
 */
export function byteRangeOf(header: string | undefined, sizeBytes: number): Required<ByteRange> | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1);
  if (last !== '' && first !== '' && Number(last) < Number(first)) return undefined;
  if (start >= sizeBytes || end <= start) {
    throw new AppError('VALIDATION', `The range lies outside the object, which has ${sizeBytes} bytes.`, { sizeBytes });
  }
  return { start, end };
}
