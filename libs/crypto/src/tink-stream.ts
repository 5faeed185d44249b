import { Transform, type TransformCallback } from 'node:stream';
import { SegmentDecryptor, type DecryptOptions } from './tink-decryptor.js';
import { SegmentEncryptor, type EncryptOptions } from './tink-encryptor.js';

interface Pushed {
  update(chunk: Uint8Array): Buffer[];
  final(): Buffer[];
}

const transformOf = (pushed: Pushed): Transform => {
  const emit = (stream: Transform, step: () => Buffer[], done: TransformCallback): void => {
    try {
      for (const part of step()) stream.push(part);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    done();
  };
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      emit(this, () => pushed.update(chunk), done);
    },
    flush(done) {
      emit(this, () => pushed.final(), done);
    },
  });
};

/** Plaintext in, one stored object out (Tink AES256_GCM_HKDF_1MB unless `params` says otherwise). Memory: one segment. */
export const encryptStream = (options: EncryptOptions): Transform => transformOf(new SegmentEncryptor(options));

/**
 * One stored object in, its plaintext out; nothing leaves it unauthenticated. The stream fails with DATA_CORRUPT (segment, byte
 * offset) or DATA_TRUNCATED, so a consumer must not commit its work before the stream has ended well.
 */
export const decryptStream = (options: DecryptOptions): Transform => transformOf(new SegmentDecryptor(options));

/** `encryptStream` for an object that is in memory anyway, as the index is. */
export const encryptBytes = (plain: Uint8Array, options: EncryptOptions): Buffer => {
  const encryptor = new SegmentEncryptor(options);
  return Buffer.concat([...encryptor.update(plain), ...encryptor.final()]);
};

/** `decryptStream` for an object in memory. All or nothing. */
export const decryptBytes = (stored: Uint8Array, options: DecryptOptions): Buffer => {
  const decryptor = new SegmentDecryptor(options);
  return Buffer.concat([...decryptor.update(stored), ...decryptor.final()]);
};
