import { wordlist } from '@scure/bip39/wordlists/english.js';
import { fingerprint, parseFingerprint } from './fingerprint.js';
import { generateSealKeyPair, generateSigningKeyPair } from './signing.js';

const keys = {
  signPublicKey: Buffer.alloc(32, 1).toString('base64'),
  sealPublicKey: Buffer.alloc(32, 2).toString('base64'),
  serverPublicKey: Buffer.alloc(32, 3).toString('base64'),
};

it('is six words of the list, the same on both sides', () => {
  const words = fingerprint(keys).split(' ');
  expect(words).toHaveLength(6);
  expect(words.every((word) => wordlist.includes(word))).toBe(true);
  expect(fingerprint({ ...keys })).toBe(fingerprint(keys));
});

it('is the first 66 bits of the hash: a known answer', () => {
  expect(fingerprint(keys)).toBe('chapter midnight sweet burger misery inject');
});

it('changes with each key and with their places', () => {
  const other = { signPublicKey: generateSigningKeyPair().publicKey, sealPublicKey: generateSealKeyPair().publicKey };
  const all = [
    keys,
    { ...keys, signPublicKey: other.signPublicKey },
    { ...keys, sealPublicKey: other.sealPublicKey },
    { ...keys, serverPublicKey: other.signPublicKey },
    { signPublicKey: keys.sealPublicKey, sealPublicKey: keys.signPublicKey, serverPublicKey: keys.serverPublicKey },
  ].map(fingerprint);
  expect(new Set(all).size).toBe(5);
});

it('refuses a malformed key', () => {
  expect(() => fingerprint({ ...keys, sealPublicKey: 'AAAA' })).toThrow(expect.objectContaining({ code: 'KEYS_INVALID' }));
});

it('is read as people type it, and nothing else is', () => {
  const words = 'chapter midnight sweet burger misery inject';
  for (const typed of [words, ` ${words.toUpperCase()}\n`, words.replaceAll(' ', '-')])
    expect(parseFingerprint(typed)).toBe(words);
  for (const typed of ['', 'chapter', `${words} inject`, words.replace('sweet', 'sweeet')])
    expect(parseFingerprint(typed)).toBeNull();
});
