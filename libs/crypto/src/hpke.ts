import type { webcrypto } from 'node:crypto';
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { fromBase64, toBase64 } from './base64.js';
import { CryptoError } from './crypto-error.js';
import { RAW_KEY_SIZE, rawPrivateKey } from './raw-keys.js';

/** RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002. */
const suite = (): CipherSuite =>
  new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

export interface HpkeBinding {
  readonly info: Uint8Array;
  readonly aad: Uint8Array;
}

/** Base64 of the encapsulated key (32 bytes) and of ciphertext with tag. */
export interface HpkeCiphertext {
  readonly enc: string;
  readonly ciphertext: string;
}

/** Single-shot seal to a raw base64 X25519 public key. Two calls give two ciphertexts. Throws KEYS_INVALID for a bad public key. */
export const hpkeSeal = async (
  recipientPublicKey: string,
  plaintext: Uint8Array,
  binding: HpkeBinding,
): Promise<HpkeCiphertext> => {
  const raw = fromBase64(recipientPublicKey, RAW_KEY_SIZE);
  const refuse = (cause?: unknown): CryptoError =>
    new CryptoError(
      'KEYS_INVALID',
      'This is not a usable X25519 public key (32 bytes in base64). Enrol the agent again.',
      {},
      { cause },
    );
  if (!raw) throw refuse();
  const hpke = suite();
  try {
    const recipient = (await hpke.kem.deserializePublicKey(raw)) as webcrypto.CryptoKey;
    const sealed = await hpke.seal({ recipientPublicKey: recipient, info: binding.info }, plaintext, binding.aad);
    return { enc: toBase64(new Uint8Array(sealed.enc)), ciphertext: toBase64(new Uint8Array(sealed.ct)) };
  } catch (cause) {
    throw refuse(cause); // a point of small order is the one key of right length that fails
  }
};

/** Inverse of `hpkeSeal`; null when key, binding or ciphertext is not the one that was sealed (HPKE cannot say which). */
export const hpkeOpen = async (
  recipientPrivateKey: string,
  sealed: HpkeCiphertext,
  binding: HpkeBinding,
): Promise<Buffer | null> => {
  const raw = rawPrivateKey('x25519', recipientPrivateKey);
  const enc = fromBase64(sealed.enc, RAW_KEY_SIZE);
  const ciphertext = fromBase64(sealed.ciphertext);
  if (!enc || !ciphertext) return null;
  const hpke = suite();
  const recipientKey = (await hpke.kem.deserializePrivateKey(raw)) as webcrypto.CryptoKey;
  try {
    return Buffer.from(await hpke.open({ recipientKey, enc, info: binding.info }, ciphertext, binding.aad));
  } catch {
    return null;
  }
};
