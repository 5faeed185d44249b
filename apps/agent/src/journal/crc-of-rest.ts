const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;
/** x^8: what one byte more multiplies a checksum by. */
const BYTE = 0x00800000;

export interface Stretch {
  /** CRC-32 of the bytes, unsigned. */
  readonly crc: number;
  readonly bytes: number;
}

/** The product of two polynomials modulo that of CRC-32, lowest power in the highest bit. */
function multiply(a: number, b: number): number {
  let product = 0;
  let factor = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= factor;
    factor = (factor & 1) === 0 ? factor >>> 1 : (factor >>> 1) ^ POLYNOMIAL;
  }
  return product >>> 0;
}

function powerOfByte(count: number): number {
  let power = ONE;
  let square = BYTE;
  for (let left = count; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) power = multiply(power, square);
    square = multiply(square, square);
  }
  return power;
}

/** CRC-32 of what follows `start` in `whole`, in time that does not grow with it: what zlib's `crc32_combine` does, turned round. */
export const crcOfRest = (whole: Stretch, start: Stretch): number =>
  (multiply(powerOfByte(whole.bytes - start.bytes), start.crc) ^ whole.crc) >>> 0;
