import { fromBase64, toBase64 } from './base64.js';
import { CryptoError } from './crypto-error.js';

export const DEK_SIZE = 32;

const TYPE_URL = 'type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey';

// AesGcmHkdfStreamingKey as protobuf: params (2) { ciphertext_segment_size (1) = 1048576, derived_key_size (2) = 32,
// hkdf_hash_type (3) = SHA256 }, key_value (3) = 32 bytes that follow. version (1) = 0 is left out, as proto3 does.
const VALUE_PREFIX = Buffer.from('120808808040102018031a20', 'hex');

/** Throws RangeError unless `dek` is a data key: 32 bytes. */
export const assertDek = (dek: Uint8Array): void => {
  if (dek.length !== DEK_SIZE) throw new RangeError(`A data key has ${DEK_SIZE} bytes, not ${dek.length}.`);
};

/** The data key as a Tink JSON keyset (AES256_GCM_HKDF_1MB, RAW) that any Tink library reads. It holds the key in the clear. */
export const toTinkKeyset = (dek: Uint8Array): string => {
  assertDek(dek);
  const keyId = 1; // RAW output carries no key id, so any will do
  return JSON.stringify({
    primaryKeyId: keyId,
    key: [
      {
        keyData: { typeUrl: TYPE_URL, value: toBase64(Buffer.concat([VALUE_PREFIX, dek])), keyMaterialType: 'SYMMETRIC' },
        status: 'ENABLED',
        keyId,
        outputPrefixType: 'RAW',
      },
    ],
  });
};

interface LooseKey {
  readonly keyData?: { readonly typeUrl?: unknown; readonly value?: unknown };
  readonly keyId?: unknown;
  readonly status?: unknown;
  readonly outputPrefixType?: unknown;
}

/** The key that `primaryKeyId` names, or null when this is no keyset. Never throws what JSON says: it quotes the text, which is the key. */
const primaryKeyOf = (json: string): LooseKey | null => {
  try {
    const keyset = JSON.parse(json) as { primaryKeyId?: unknown; key?: readonly (LooseKey | null)[] } | null;
    return keyset?.key?.find((key) => key?.keyId === keyset.primaryKeyId) ?? null;
  } catch {
    return null;
  }
};

const isOurs = (key: LooseKey, value: Buffer): boolean =>
  key.keyData?.typeUrl === TYPE_URL &&
  key.outputPrefixType === 'RAW' &&
  key.status === 'ENABLED' &&
  value.length === VALUE_PREFIX.length + DEK_SIZE &&
  value.subarray(0, VALUE_PREFIX.length).equals(VALUE_PREFIX);

/**
 * The data key in a Tink JSON keyset, ours or one that Tink wrote for the same key. Throws KEYS_INVALID when it is no keyset,
 * FORMAT_UNSUPPORTED when its primary key is of another type or has other parameters.
 */
export const fromTinkKeyset = (json: string): Buffer => {
  const primary = primaryKeyOf(json);
  const value = fromBase64(primary?.keyData?.value);
  if (!primary || !value) throw new CryptoError('KEYS_INVALID', 'This is not a Tink JSON keyset. Use another key slot.');
  if (isOurs(primary, value)) return value.subarray(VALUE_PREFIX.length);
  throw new CryptoError('FORMAT_UNSUPPORTED', 'The keyset is not for AES256_GCM_HKDF_1MB. Use a newer RahatBack or Tink itself.');
};
