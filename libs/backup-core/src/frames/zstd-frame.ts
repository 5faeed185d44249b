import { AppError } from '@rahatback/contracts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const RLE_BLOCK = 1;

const truncated = (): null => null;

/**
 * Length in bytes of the zstd frame at the start of `bytes` (RFC 8878, section 3.1.1), or null while it has not all come. Needed because
 * Node's decoder stops after the first frame of a concatenation and says nothing.
 * @throws AppError DATA_CORRUPT when the bytes are no zstd frame
 */
export function zstdFrameLength(bytes: Buffer): number | null {
  if (bytes.length < 5) return truncated();
  const magic = bytes.readUInt32LE(0);
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) return skippableLength(bytes);
  if (magic !== MAGIC) throw new AppError('DATA_CORRUPT', 'A zstd frame was expected and something else was found.');
  const descriptor = bytes[4] as number;
  const singleSegment = (descriptor & 0x20) !== 0;
  const contentSizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] as number;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] as number;
  let at = 5 + (singleSegment ? 0 : 1) + dictionaryIdBytes + contentSizeBytes;
  for (let last = false; !last;) {
    if (at + 3 > bytes.length) return truncated();
    const header = bytes.readUIntLE(at, 3);
    last = (header & 1) === 1;
    at += 3 + (((header >>> 1) & 3) === RLE_BLOCK ? 1 : header >>> 3);
  }
  if ((descriptor & 4) !== 0) at += 4;
  return at <= bytes.length ? at : truncated();
}

function skippableLength(bytes: Buffer): number | null {
  if (bytes.length < 8) return truncated();
  const length = 8 + bytes.readUInt32LE(4);
  return length <= bytes.length ? length : truncated();
}
