import { createHash } from 'node:crypto';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { fromBase64 } from './base64.js';
import { CryptoError } from './crypto-error.js';
import { RAW_KEY_SIZE } from './raw-keys.js';

/** Raw base64 public keys: the agent's two and the server's command key. */
export interface FingerprintKeys {
  readonly signPublicKey: string;
  readonly sealPublicKey: string;
  readonly serverPublicKey: string;
}

/**
 * Stands for the seal key of an agent of which only the signing key is known, out of a recovery kit. Nobody can seal to it (its shared secret is
 * zero, which X25519 refuses), and whoever has the kit computes the same words without asking a server.
 */
export const UNKNOWN_SEAL_KEY = Buffer.alloc(RAW_KEY_SIZE).toString('base64');

const WORDS = 6;
const BITS_PER_WORD = 11;

/** Words as a person types them: spaces or dashes between, letters of any case. @returns null when they are not six words of the list */
export const parseFingerprint = (typed: string): string | null => {
  const words = typed
    .trim()
    .toLowerCase()
    .split(/[\s-]+/);
  return words.length === WORDS && words.every((word) => wordlist.includes(word)) ? words.join(' ') : null;
};

/**
 * Six words of the BIP-39 English list, separated by spaces: the first 66 bits of
 * SHA-256("rahatback/1 fingerprint\0" | sign key | seal key | server key). Agent and console show it, a person compares. Deterministic.
 * Throws KEYS_INVALID for a key that is not 32 bytes in base64.
 */
export const fingerprint = ({ signPublicKey, sealPublicKey, serverPublicKey }: FingerprintKeys): string => {
  const hash = createHash('sha256').update('rahatback/1 fingerprint\0');
  for (const publicKey of [signPublicKey, sealPublicKey, serverPublicKey]) {
    const raw = fromBase64(publicKey, RAW_KEY_SIZE);
    if (!raw) throw new CryptoError('KEYS_INVALID', 'A public key is 32 bytes in base64. Enrol the agent again.');
    hash.update(raw);
  }
  // 72 bits hold the 66; the last six are dropped.
  const bits = BigInt(`0x${hash.digest().toString('hex', 0, 9)}`) >> 6n;
  const wordAt = (position: number): string => {
    const shift = BigInt((WORDS - 1 - position) * BITS_PER_WORD);
    return wordlist[Number((bits >> shift) & 0x7ffn)] ?? '';
  };
  return Array.from({ length: WORDS }, (_, position) => wordAt(position)).join(' ');
};
