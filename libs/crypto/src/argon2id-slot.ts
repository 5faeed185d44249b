import { argon2, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { fromBase64, toBase64 } from './base64.js';
import { canonicalJson } from './canonical-json.js';
import { CryptoError } from './crypto-error.js';
import { assertDek, DEK_SIZE } from './keyset.js';
import { slotAssociatedData, type KeysContext } from './slot-context.js';

const argon2Async = promisify(argon2);

export interface KdfCost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** Everything but the passphrase; kept beside the sealed KEK. `salt` is base64 of 16 random bytes. */
export interface KdfParams extends KdfCost {
  readonly salt: string;
}

export interface PassphraseKek extends KdfParams {
  /** 32 bytes. */
  readonly kek: Uint8Array;
}

/** The data key under a passphrase. `nonce` (12 bytes) and `ciphertext` (data key, then tag) are AES-256-GCM under the KEK; base64. */
export interface Argon2idSlot extends KdfParams {
  readonly type: 'argon2id';
  readonly nonce: string;
  readonly ciphertext: string;
}

export const DEFAULT_KDF_COST: KdfCost = { memoryKib: 262_144, passes: 3, parallelism: 4 };

/** RFC 9106's second recommendation as the floor; the ceiling keeps a hostile file from taking a machine's memory or its day. */
export const KDF_LIMITS = {
  memoryKib: { min: 65_536, max: 1_048_576 },
  passes: { min: 1, max: 10 },
  parallelism: { min: 1, max: 16 },
} as const;

const SALT_SIZE = 16;
const NONCE_SIZE = 12;
const TAG_SIZE = 16;

/** Throws KDF_PARAMS_REFUSED, naming the figure and its limits, before any memory is taken. */
export const assertKdfCost = (cost: KdfCost): void => {
  for (const name of ['memoryKib', 'passes', 'parallelism'] as const) {
    const { min, max } = KDF_LIMITS[name];
    const value = cost[name];
    if (Number.isSafeInteger(value) && value >= min && value <= max) continue;
    throw new CryptoError(
      'KDF_PARAMS_REFUSED',
      `Argon2id ${name} must be from ${min} to ${max}. Use another key slot of this backup.`,
      {
        name,
        value,
        min,
        max,
      },
    );
  }
};

/** A fresh salt with the default cost, for a passphrase that is being set. */
export const newKdfParams = (cost: KdfCost = DEFAULT_KDF_COST): KdfParams => {
  assertKdfCost(cost);
  return {
    salt: toBase64(randomBytes(SALT_SIZE)),
    memoryKib: cost.memoryKib,
    passes: cost.passes,
    parallelism: cost.parallelism,
  };
};

/**
 * The 32-byte KEK of a passphrase: Argon2id v1.3 (RFC 9106) over its UTF-8 in Unicode NFC, so that a Turkish letter typed on another
 * keyboard gives the same key. About 0.6 s and 256 MiB, on a worker thread; done when the passphrase is set and at a recovery, never in
 * a run. Same input, same KEK. Throws KDF_PARAMS_REFUSED.
 */
export const derivePassphraseKek = async (passphrase: string, params: KdfParams): Promise<Buffer> => {
  assertKdfCost(params);
  const nonce = fromBase64(params.salt);
  if (!nonce || nonce.length < 8 || nonce.length > 64)
    throw new CryptoError('KDF_PARAMS_REFUSED', 'The Argon2id salt is not usable.');
  return argon2Async('argon2id', {
    message: passphrase.normalize('NFC'),
    nonce,
    memory: params.memoryKib,
    passes: params.passes,
    parallelism: params.parallelism,
    tagLength: DEK_SIZE,
  });
};

const slotAad = ({ salt, memoryKib, passes, parallelism }: KdfParams, context: KeysContext): Buffer =>
  Buffer.concat([
    Buffer.from('rahatback/1 slot argon2id\0'),
    slotAssociatedData(context),
    canonicalJson({ salt, memoryKib, passes, parallelism }),
  ]);

/** Costs nothing: the KEK was derived before. Throws KDF_PARAMS_REFUSED for figures a reader would refuse, RangeError for a bad KEK. */
export const wrapArgon2idSlot = (dek: Uint8Array, passphrase: PassphraseKek, context: KeysContext): Argon2idSlot => {
  assertDek(dek);
  assertKdfCost(passphrase);
  const { kek, salt, memoryKib, passes, parallelism } = passphrase;
  if (!fromBase64(salt, SALT_SIZE)) throw new RangeError(`A slot's salt is ${SALT_SIZE} bytes in base64.`);
  const params = { salt, memoryKib, passes, parallelism };
  const nonce = randomBytes(NONCE_SIZE);
  const cipher = createCipheriv('aes-256-gcm', kek, nonce, { authTagLength: TAG_SIZE }).setAAD(slotAad(params, context));
  const ciphertext = Buffer.concat([cipher.update(dek), cipher.final(), cipher.getAuthTag()]);
  return { type: 'argon2id', ...params, nonce: toBase64(nonce), ciphertext: toBase64(ciphertext) };
};

/** Throws WRONG_KEY when the KEK, hence the passphrase, is not the one. */
export const unwrapArgon2idSlot = (slot: Argon2idSlot, kek: Uint8Array, context: KeysContext): Buffer => {
  const nonce = fromBase64(slot.nonce, NONCE_SIZE);
  const sealed = fromBase64(slot.ciphertext, DEK_SIZE + TAG_SIZE);
  if (!nonce || !sealed)
    throw new CryptoError('KEYS_INVALID', 'The passphrase slot is malformed. Use another slot or generation.');
  const decipher = createDecipheriv('aes-256-gcm', kek, nonce, { authTagLength: TAG_SIZE }).setAAD(slotAad(slot, context));
  decipher.setAuthTag(sealed.subarray(DEK_SIZE));
  const dek = decipher.update(sealed.subarray(0, DEK_SIZE));
  try {
    decipher.final();
  } catch {
    throw new CryptoError(
      'WRONG_KEY',
      'The passphrase does not open this backup. Check capitals and the keyboard layout, or use another.',
    );
  }
  return dek;
};
