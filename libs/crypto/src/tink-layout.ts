import { hkdfSync, createSecretKey, type KeyObject } from 'node:crypto';
import { CryptoError } from './crypto-error.js';

/**
 * Google Tink, "AES-GCM-HKDF Streaming AEAD":
 *
 *   header   headerSize (1 byte) | salt[derivedKeySize] | noncePrefix[7]
 *   key      HKDF(hash, ikm, salt, info = associatedData, derivedKeySize)
 *   segment  segmentSize bytes of ciphertext, the last 16 the tag; the header counts into segment 0
 *   nonce_i  noncePrefix | uint32be(i) | (last ? 1 : 0); no AAD
 *
 * All but the last segment are full, and the last is empty only when the whole plaintext is.
 */
export interface StreamParams {
  readonly hash: 'sha1' | 'sha256' | 'sha512';
  /** Bytes: 16 (AES-128) or 32 (AES-256). The salt is as long. */
  readonly derivedKeySize: 16 | 32;
  /** Bytes of ciphertext in a full segment, header and tag included. */
  readonly segmentSize: number;
}

/** The only profile the backup format writes. The others exist so that Tink's published vectors can run. */
export const AES256_GCM_HKDF_1MB: StreamParams = { hash: 'sha256', derivedKeySize: 32, segmentSize: 1_048_576 };

export const TAG_SIZE = 16;
export const NONCE_PREFIX_SIZE = 7;
const MAX_SEGMENTS = 2 ** 32;

export const headerSize = (params: StreamParams = AES256_GCM_HKDF_1MB): number => 1 + params.derivedKeySize + NONCE_PREFIX_SIZE;

/** Throws RangeError for parameters under which no plaintext would fit into segment 0. */
export const assertParams = (params: StreamParams): void => {
  if (!Number.isSafeInteger(params.segmentSize) || params.segmentSize <= headerSize(params) + TAG_SIZE) {
    throw new RangeError(`A segment of ${params.segmentSize} bytes does not hold its header, its tag and one byte.`);
  }
};

/** Plaintext bytes that fit into segment `index`. */
export const segmentCapacity = (index: number, params: StreamParams = AES256_GCM_HKDF_1MB): number =>
  params.segmentSize - TAG_SIZE - (index === 0 ? headerSize(params) : 0);

const assertSize = (size: number): void => {
  if (!Number.isSafeInteger(size) || size < 0)
    throw new RangeError(`A size in bytes must be a whole number from 0 up, not ${size}.`);
};

/** Throws FORMAT_UNSUPPORTED: the nonce has 32 bits for the segment number, and a repeated nonce would give the key away. */
const assertSegmentCount = (segments: number): void => {
  if (segments > MAX_SEGMENTS) {
    throw new CryptoError('FORMAT_UNSUPPORTED', 'An object holds at most 4,294,967,296 segments. Split it into volumes.', {
      segments,
    });
  }
};

/** Exact size in bytes of what encrypting `plain` bytes gives. Throws FORMAT_UNSUPPORTED above 2^32 segments. */
export const ciphertextSize = (plain: number, params: StreamParams = AES256_GCM_HKDF_1MB): number => {
  assertSize(plain);
  const segments = Math.max(1, Math.ceil((plain + headerSize(params)) / (params.segmentSize - TAG_SIZE)));
  assertSegmentCount(segments);
  return headerSize(params) + plain + segments * TAG_SIZE;
};

/** Segments in an object of `cipherSize` stored bytes. Throws DATA_TRUNCATED for a size that no complete object has. */
export const segmentCount = (cipherSize: number, params: StreamParams = AES256_GCM_HKDF_1MB): number => {
  assertSize(cipherSize);
  const segments = Math.max(1, Math.ceil(cipherSize / params.segmentSize));
  assertSegmentCount(segments);
  const lastSize = cipherSize - (segments - 1) * params.segmentSize;
  const smallest = segments === 1 ? headerSize(params) + TAG_SIZE : TAG_SIZE + 1;
  if (lastSize < smallest) {
    throw new CryptoError(
      'DATA_TRUNCATED',
      `No complete object has ${cipherSize} bytes: it was cut short. Fetch or copy it again.`,
      {
        segment: segments - 1,
        offset: cipherSize,
      },
    );
  }
  return segments;
};

/** Exact plaintext bytes of an object of `cipherSize` stored bytes. Throws as `segmentCount`. */
export const plaintextSize = (cipherSize: number, params: StreamParams = AES256_GCM_HKDF_1MB): number =>
  cipherSize - headerSize(params) - segmentCount(cipherSize, params) * TAG_SIZE;

export interface CipherRange {
  /** First stored byte to read; the header is never part of it. */
  readonly start: number;
  /** One past the last stored byte to read. */
  readonly end: number;
  readonly firstSegment: number;
  /** Plaintext bytes to drop at the front of what those segments decrypt to. */
  readonly skip: number;
}

/**
 * Which stored bytes hold the plaintext bytes `plainStart` (included) to `plainEnd` (not included) of an object of `cipherSize` bytes:
 * whole segments, because only whole segments authenticate. Throws RangeError for a range outside the object.
 */
export const plainRangeToCipherRange = (
  plainStart: number,
  plainEnd: number,
  cipherSize: number,
  params: StreamParams = AES256_GCM_HKDF_1MB,
): CipherRange => {
  const plain = plaintextSize(cipherSize, params);
  assertSize(plainStart);
  assertSize(plainEnd);
  if (plainStart > plainEnd || plainEnd > plain) {
    throw new RangeError(`Bytes ${plainStart} to ${plainEnd} are not inside an object of ${plain} plaintext bytes.`);
  }
  // With the header counted as plaintext, every segment holds the same number of bytes.
  const capacity = segmentCapacity(1, params);
  const from = plainStart + headerSize(params);
  const to = plainEnd + headerSize(params);
  const firstSegment = Math.floor(from / capacity);
  const start = Math.min(segmentStart(firstSegment, params), cipherSize);
  if (plainStart === plainEnd) return { start, end: start, firstSegment, skip: 0 };
  const end = Math.min(Math.ceil(to / capacity) * params.segmentSize, cipherSize);
  return { start, end, firstSegment, skip: from - Math.max(firstSegment * capacity, headerSize(params)) };
};

/** Offset in the stored object of the ciphertext of segment `index`. */
export const segmentStart = (index: number, params: StreamParams = AES256_GCM_HKDF_1MB): number =>
  index === 0 ? headerSize(params) : index * params.segmentSize;

/** noncePrefix | uint32be(index) | last. Throws FORMAT_UNSUPPORTED where the index would wrap around. */
export const segmentNonce = (noncePrefix: Uint8Array, index: number, last: boolean): Buffer => {
  assertSegmentCount(index + 1);
  const nonce = Buffer.alloc(NONCE_PREFIX_SIZE + 5);
  nonce.set(noncePrefix);
  nonce.writeUInt32BE(index, NONCE_PREFIX_SIZE);
  nonce[NONCE_PREFIX_SIZE + 4] = last ? 1 : 0;
  return nonce;
};

export interface StreamHeader {
  readonly salt: Uint8Array;
  readonly noncePrefix: Uint8Array;
}

export const writeHeader = ({ salt, noncePrefix }: StreamHeader, params: StreamParams): Buffer => {
  if (salt.length !== params.derivedKeySize || noncePrefix.length !== NONCE_PREFIX_SIZE) {
    throw new RangeError(`The salt takes ${params.derivedKeySize} bytes and the nonce prefix ${NONCE_PREFIX_SIZE}.`);
  }
  return Buffer.concat([Buffer.of(headerSize(params)), salt, noncePrefix]);
};

/** Reads the header at the start of `bytes`. Throws DATA_TRUNCATED when it is not all there, DATA_CORRUPT when it is not one. */
export const readHeader = (bytes: Uint8Array, params: StreamParams): StreamHeader => {
  const size = headerSize(params);
  if (bytes.length < size) {
    throw new CryptoError('DATA_TRUNCATED', `The object ends inside its ${size}-byte header. Fetch or copy it again.`, {
      segment: 0,
      offset: bytes.length,
    });
  }
  if (bytes[0] !== size) {
    throw new CryptoError('DATA_CORRUPT', 'The object does not begin with an encryption header. Fetch or copy it again.', {
      segment: 0,
      offset: 0,
    });
  }
  const saltEnd = 1 + params.derivedKeySize;
  return { salt: Uint8Array.from(bytes.subarray(1, saltEnd)), noncePrefix: Uint8Array.from(bytes.subarray(saltEnd, size)) };
};

/** The AES key of one object: every object has its own through its salt, whatever the data key. */
export const deriveObjectKey = (
  key: Uint8Array,
  salt: Uint8Array,
  associatedData: Uint8Array,
  params: StreamParams,
): KeyObject => {
  if (key.length < Math.max(16, params.derivedKeySize)) {
    throw new RangeError(`The input key must have at least ${Math.max(16, params.derivedKeySize)} bytes.`);
  }
  return createSecretKey(Buffer.from(hkdfSync(params.hash, key, salt, associatedData, params.derivedKeySize)));
};

export const gcmOf = (params: StreamParams): 'aes-128-gcm' | 'aes-256-gcm' =>
  params.derivedKeySize === 32 ? 'aes-256-gcm' : 'aes-128-gcm';
