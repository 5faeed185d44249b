export { wrapAgeSlot, unwrapAgeSlot, type AgeSlot } from './age-slot.js';
export {
  assertKdfCost,
  DEFAULT_KDF_COST,
  derivePassphraseKek,
  KDF_LIMITS,
  newKdfParams,
  unwrapArgon2idSlot,
  wrapArgon2idSlot,
  type Argon2idSlot,
  type KdfCost,
  type KdfParams,
  type PassphraseKek,
} from './argon2id-slot.js';
export { fromBase64, toBase64 } from './base64.js';
export { associatedData, canonicalJson, FORMAT, type ObjectContext } from './canonical-json.js';
export { commitmentOf, commitsTo, generateDek, type ChainContext } from './commitment.js';
export { CryptoError, isCryptoError, type CryptoErrorCode } from './crypto-error.js';
export {
  assertKeyring,
  keyIdOf,
  needsReseal,
  openField,
  sealField,
  type FieldRef,
  type Keyring,
  type KeyringKey,
} from './envelope.js';
export { fingerprint, UNKNOWN_SEAL_KEY, parseFingerprint, type FingerprintKeys } from './fingerprint.js';
export type { HpkeCiphertext } from './hpke.js';
export { unwrapHpkeSlot, wrapHpkeSlot, type HpkeSlot, type SlotAgent } from './hpke-slot.js';
export { createKeysFile, parseKeysFile, serializeKeysFile, type KeysFile, type KeySlot, type NewKeysFile } from './keys-file.js';
export {
  newestReadableKeys,
  openWithAgeIdentity,
  openWithAgentKey,
  openWithKek,
  openWithPassphrase,
  passphraseSlotOf,
  type ReadableKeys,
  type StoredKeysFile,
} from './keys-open.js';
export { DEK_SIZE, fromTinkKeyset, toTinkKeyset } from './keyset.js';
export { privateKeyPem, publicKeyOf, type KeyCurve, type RawKeyPair } from './raw-keys.js';
export {
  assertIdentity,
  assertRecipient,
  generateRecoveryIdentity,
  parseTypedIdentity,
  recipientOf,
  type RecoveryIdentity,
} from './recovery-identity.js';
export {
  parsePinnedKeys,
  parseRecoveryKit,
  pinnedKeysText,
  recoveryKitText,
  type PinnedKey,
  type PinnedKeys,
  type RecoveryKit,
  type RecoveryKitKeys,
} from './recovery-kit.js';
export { openSealed, sealSecret, type OpenRequest, type SealBinding, type SealRequest } from './sealing.js';
export {
  enrolProofBytes,
  generateSealKeyPair,
  generateSigningKeyPair,
  manifestBytes,
  sessionProofBytes,
  signBytes,
  signCommand,
  signManifest,
  verifyBytes,
  verifyCommand,
  verifyManifest,
  type Enrolment,
  type ManifestSignature,
  type ManifestSigner,
  type SessionChallenge,
} from './signing.js';
export { KEYS_FORMAT, type KeysContext } from './slot-context.js';
export { SegmentDecryptor, type DecryptOptions } from './tink-decryptor.js';
export { SegmentEncryptor, type EncryptOptions } from './tink-encryptor.js';
export {
  AES256_GCM_HKDF_1MB,
  ciphertextSize,
  headerSize,
  plainRangeToCipherRange,
  plaintextSize,
  segmentCount,
  segmentStart,
  type CipherRange,
  type StreamParams,
} from './tink-layout.js';
export { SegmentReader, type SegmentReaderOptions } from './tink-reader.js';
export { decryptBytes, decryptStream, encryptBytes, encryptStream } from './tink-stream.js';
