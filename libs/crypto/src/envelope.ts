import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { CryptoError } from './crypto-error.js';

/** One key-encryption key of the server. `kid`: 1 to 32 of `A-Z a-z 0-9 _ -`; `key`: 32 bytes. */
export interface KeyringKey {
  readonly kid: string;
  readonly key: Uint8Array;
}

/** `current` seals; both open. A rotation makes the old key `previous` until no row names it any more. */
export interface Keyring {
  readonly current: KeyringKey;
  readonly previous?: KeyringKey;
}

/** The place a field lives in. It is authenticated, so a sealed value copied to another row, column or tenant does not open. */
export interface FieldRef {
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
  /** Empty for rows that belong to no workspace. */
  readonly workspaceId: string;
}

const VERSION = '1';
const NONCE_SIZE = 12;
const TAG_SIZE = 16;

/** Throws RangeError for a key that is not 32 bytes, a malformed kid, or the same kid twice. Call it once, at start-up. */
export const assertKeyring = ({ current, previous }: Keyring): void => {
  for (const { kid, key } of previous ? [current, previous] : [current]) {
    if (!/^[A-Za-z0-9_-]{1,32}$/.test(kid)) throw new RangeError('A key id is 1 to 32 letters, digits, "_" or "-".');
    if (key.length !== 32) throw new RangeError(`The key "${kid}" must have 32 bytes.`);
  }
  if (previous?.kid === current.kid) throw new RangeError(`Two keys have the id "${current.kid}".`);
};

const aadOf = ({ table, column, rowId, workspaceId }: FieldRef): Buffer => {
  const parts = [table, column, rowId, workspaceId];
  if (parts.some((part) => part.includes('\0'))) throw new RangeError('A field reference cannot hold a NUL character.');
  return Buffer.from(parts.join('\0'), 'utf8');
};

/**
 * AES-256-GCM under the current key, as `1|kid|nonce|ciphertext|tag` (the last three base64url). Every call gives another text. One key
 * seals at most 2^32 fields.
 */
export const sealField = ({ current }: Keyring, ref: FieldRef, plaintext: Uint8Array | string): string => {
  const nonce = randomBytes(NONCE_SIZE);
  const cipher = createCipheriv('aes-256-gcm', current.key, nonce, { authTagLength: TAG_SIZE }).setAAD(aadOf(ref));
  const ciphertext = Buffer.concat([cipher.update(Buffer.from(plaintext)), cipher.final()]);
  return [VERSION, current.kid, ...[nonce, ciphertext, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('|');
};

interface Envelope {
  readonly kid: string;
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

const parse = (sealed: string): Envelope => {
  const [version, kid, ...parts] = sealed.split('|');
  const [nonce, ciphertext, tag] = parts.map((part) => Buffer.from(part, 'base64url'));
  if (version !== VERSION)
    throw new CryptoError('FORMAT_UNSUPPORTED', 'This sealed field is of a newer version. Upgrade this server.');
  if (parts.length !== 3 || !kid || !ciphertext || nonce?.length !== NONCE_SIZE || tag?.length !== TAG_SIZE) {
    throw new CryptoError('DATA_CORRUPT', 'This sealed field is malformed. Enter the secret again.');
  }
  return { kid, nonce, ciphertext, tag };
};

/** Which key sealed it. Throws FORMAT_UNSUPPORTED or DATA_CORRUPT. Rows of one key are `LIKE '1|<kid>|%'`. */
export const keyIdOf = (sealed: string): string => parse(sealed).kid;

/** True when a sweep should seal this field again under the current key. */
export const needsReseal = (keyring: Keyring, sealed: string): boolean => keyIdOf(sealed) !== keyring.current.kid;

/**
 * The plaintext. Throws WRONG_KEY when the keyring lacks the key, DATA_CORRUPT when the field was altered or moved here from another
 * place, FORMAT_UNSUPPORTED for a newer version.
 */
export const openField = (keyring: Keyring, ref: FieldRef, sealed: string): Buffer => {
  const { kid, nonce, ciphertext, tag } = parse(sealed);
  const { table, column, rowId } = ref;
  const found = [keyring.current, keyring.previous].find((candidate) => candidate?.kid === kid);
  if (!found) {
    throw new CryptoError('WRONG_KEY', `The server key "${kid}" is not loaded. Add it to the keyring again.`, {
      kid,
      table,
      column,
      rowId,
    });
  }
  const decipher = createDecipheriv('aes-256-gcm', found.key, nonce, { authTagLength: TAG_SIZE })
    .setAAD(aadOf(ref))
    .setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  try {
    decipher.final();
  } catch {
    throw new CryptoError('DATA_CORRUPT', 'This sealed field was altered or belongs to another row. Enter the secret again.', {
      kid,
      table,
      column,
      rowId,
    });
  }
  return plaintext;
};
