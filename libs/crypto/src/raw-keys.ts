import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { fromBase64, toBase64 } from './base64.js';
import { CryptoError } from './crypto-error.js';

export type KeyCurve = 'ed25519' | 'x25519';

export const RAW_KEY_SIZE = 32;

// RFC 8410: everything of the DER encodings but the 32 key bytes is constant.
const OID_END = { ed25519: '70', x25519: '6e' } as const;
const spkiPrefix = (curve: KeyCurve): Buffer => Buffer.from(`302a300506032b65${OID_END[curve]}032100`, 'hex');
const pkcs8Prefix = (curve: KeyCurve): Buffer => Buffer.from(`302e020100300506032b65${OID_END[curve]}04220420`, 'hex');

/** Both halves as base64 of their raw 32 bytes. The private half goes into a 0600 file or a keystore, never on a wire. */
export interface RawKeyPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

const rawPublic = (key: KeyObject): string => toBase64(key.export({ format: 'der', type: 'spki' }).subarray(-RAW_KEY_SIZE));
const rawPrivate = (key: KeyObject): string => toBase64(key.export({ format: 'der', type: 'pkcs8' }).subarray(-RAW_KEY_SIZE));

export const generateKeyPair = (curve: KeyCurve): RawKeyPair => {
  const { publicKey, privateKey } = curve === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
  return { publicKey: rawPublic(publicKey), privateKey: rawPrivate(privateKey) };
};

/** Throws KEYS_INVALID when `publicKey` is not 32 bytes in base64. */
export const importPublicKey = (curve: KeyCurve, publicKey: string): KeyObject => {
  const raw = fromBase64(publicKey, RAW_KEY_SIZE);
  if (!raw) throw new CryptoError('KEYS_INVALID', `A public ${curve} key is 32 bytes in base64. Check where it was copied from.`);
  return createPublicKey({ key: Buffer.concat([spkiPrefix(curve), raw]), format: 'der', type: 'spki' });
};

/** Takes base64 of the raw 32 bytes, or PKCS#8 PEM. Throws KEYS_INVALID for anything else and for a key of another curve. */
export const importPrivateKey = (curve: KeyCurve, privateKey: string): KeyObject => {
  const refuse = (): CryptoError =>
    new CryptoError(
      'KEYS_INVALID',
      `A private ${curve} key is 32 bytes in base64 or PKCS#8 PEM. Restore the key file from its copy.`,
    );
  const raw = fromBase64(privateKey, RAW_KEY_SIZE);
  if (raw) return createPrivateKey({ key: Buffer.concat([pkcs8Prefix(curve), raw]), format: 'der', type: 'pkcs8' });
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: privateKey, format: 'pem' });
  } catch {
    throw refuse(); // without the cause: OpenSSL's message may quote what it read
  }
  if (key.asymmetricKeyType !== curve) throw refuse();
  return key;
};

/** Raw base64 of the public half. `privateKey` as in `importPrivateKey`. */
export const publicKeyOf = (curve: KeyCurve, privateKey: string): string =>
  rawPublic(createPublicKey(importPrivateKey(curve, privateKey)));

/** The raw 32 bytes of a private key given as in `importPrivateKey`. */
export const rawPrivateKey = (curve: KeyCurve, privateKey: string): Buffer =>
  Buffer.from(rawPrivate(importPrivateKey(curve, privateKey)), 'base64');

/** PKCS#8 PEM of a private key given as in `importPrivateKey`. */
export const privateKeyPem = (curve: KeyCurve, privateKey: string): string =>
  importPrivateKey(curve, privateKey).export({ format: 'pem', type: 'pkcs8' }).toString();
