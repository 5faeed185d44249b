import { unwrapAgeSlot, type AgeSlot } from './age-slot.js';
import { derivePassphraseKek, unwrapArgon2idSlot, type Argon2idSlot } from './argon2id-slot.js';
import { commitsTo } from './commitment.js';
import { CryptoError } from './crypto-error.js';
import { unwrapHpkeSlot, type HpkeSlot } from './hpke-slot.js';
import { parseKeysFile, type KeysFile, type KeySlot } from './keys-file.js';
import { publicKeyOf } from './raw-keys.js';

const isHpke = (slot: KeySlot): slot is HpkeSlot => slot.type === 'hpke';

/** Who can open it, for a sentence and for `details`. */
const openersOf = (file: KeysFile): { agents: string[]; recovery: boolean; passphrase: boolean } => ({
  agents: file.slots.filter(isHpke).map((slot) => slot.agentId),
  recovery: file.slots.some((slot) => slot.type === 'age'),
  passphrase: file.slots.some((slot) => slot.type === 'argon2id'),
});

const noSlot = (file: KeysFile, what: string): CryptoError => {
  const openers = openersOf(file);
  const ways = [
    ...(openers.agents.length > 0 ? [`agent ${openers.agents.join(', ')}`] : []),
    ...(openers.recovery ? ['the recovery identity'] : []),
    ...(openers.passphrase ? ['the passphrase'] : []),
  ];
  return new CryptoError('WRONG_KEY', `${what} It opens with ${ways.join(' or ')}.`, openers);
};

/** The last gate of every way in: no data key leaves that is not the one this chain committed to. */
const committed = (file: KeysFile, dek: Buffer): Buffer => {
  if (commitsTo(file.commitment, dek, file)) return dek;
  throw new CryptoError(
    'WRONG_KEY',
    'This slot holds the key of another backup. Use another slot or generation of the keys file.',
  );
};

/**
 * The data key, by the agent's X25519 private key (raw base64 or PEM). Throws WRONG_KEY when the file has no slot for that key,
 * KEYS_INVALID when the slot was altered. Like all of these it checks the commitment, so a key that comes back is the right one.
 */
export const openWithAgentKey = async (file: KeysFile, sealPrivateKey: string): Promise<Buffer> => {
  const sealPublicKey = publicKeyOf('x25519', sealPrivateKey);
  const slot = file.slots.filter(isHpke).find((candidate) => candidate.sealPublicKey === sealPublicKey);
  if (!slot) throw noSlot(file, 'This backup was not sealed to this agent.');
  return committed(file, await unwrapHpkeSlot(slot, sealPrivateKey, file));
};

/** The data key, by a recovery identity (`AGE-SECRET-KEY-1…`). Throws RECOVERY_KEY_INVALID, WRONG_KEY, KEYS_INVALID. */
export const openWithAgeIdentity = async (file: KeysFile, identity: string): Promise<Buffer> => {
  const slot = file.slots.find((candidate): candidate is AgeSlot => candidate.type === 'age');
  if (!slot) throw noSlot(file, 'This backup has no recovery slot.');
  return committed(file, await unwrapAgeSlot(slot, identity));
};

/** The parameters under which this file's passphrase was derived, or null when it has no passphrase slot. */
export const passphraseSlotOf = (file: KeysFile): Argon2idSlot | null =>
  file.slots.find((candidate): candidate is Argon2idSlot => candidate.type === 'argon2id') ?? null;

/** The data key, by a KEK derived before. Throws WRONG_KEY. */
export const openWithKek = (file: KeysFile, kek: Uint8Array): Buffer => {
  const slot = passphraseSlotOf(file);
  if (!slot) throw noSlot(file, 'This backup has no passphrase.');
  return committed(file, unwrapArgon2idSlot(slot, kek, file));
};

/** The data key, by the passphrase; takes as long as the derivation. Throws WRONG_KEY, and KDF_PARAMS_REFUSED before any work. */
export const openWithPassphrase = async (file: KeysFile, passphrase: string): Promise<Buffer> => {
  const slot = passphraseSlotOf(file);
  if (!slot) throw noSlot(file, 'This backup has no passphrase.');
  return openWithKek(file, await derivePassphraseKek(passphrase, slot));
};

/** One stored `keys-<generation>.json`. */
export interface StoredKeysFile {
  readonly generation: number;
  readonly bytes: Uint8Array;
}

export interface ReadableKeys {
  readonly keys: KeysFile;
  /** Newer generations that could not be read, newest first: worth an alert, not a failure. */
  readonly skipped: readonly { readonly generation: number; readonly error: CryptoError }[];
}

/**
 * The newest generation that can be read. A rotation cut off half-way leaves a newest file that does not parse; the one before it still
 * opens every byte of data. Throws the newest file's error when none can be read, KEYS_INVALID when there is none.
 */
export const newestReadableKeys = (files: readonly StoredKeysFile[]): ReadableKeys => {
  const skipped: { generation: number; error: CryptoError }[] = [];
  for (const { generation, bytes } of [...files].sort((a, b) => b.generation - a.generation)) {
    try {
      const keys = parseKeysFile(bytes);
      if (keys.generation === generation) return { keys, skipped };
      throw new CryptoError(
        'KEYS_INVALID',
        `keys-${generation}.json holds generation ${keys.generation}. Use another copy of it.`,
      );
    } catch (error) {
      if (!(error instanceof CryptoError)) throw error;
      skipped.push({ generation, error });
    }
  }
  throw skipped[0]?.error ?? new CryptoError('KEYS_INVALID', 'There is no keys file. Look for another copy of this backup.');
};
