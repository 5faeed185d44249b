import { createCipheriv, createDecipheriv, createHmac, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { toBase64 } from './base64.js';
import { hpkeOpen, hpkeSeal } from './hpke.js';
import { importPrivateKey, importPublicKey, publicKeyOf } from './raw-keys.js';
import { openSealed, sealSecret } from './sealing.js';
import { generateSealKeyPair } from './signing.js';

const binding = { agentId: 'a-1', purpose: 'database-password', subject: 'db-1', version: 3 };
const info = Buffer.from('rahatback/1 seal');
const aad = Buffer.from('{"agentId":"a-1","purpose":"database-password","subject":"db-1","version":3}');

/** RFC 9180 once more, from its text, on nothing but HMAC, X25519 and AES-GCM: sections 4.1 and 5.1. */
const scheduleFromText = (shared: Buffer, enc: Buffer, recipient: Buffer): { key: Buffer; nonce: Buffer } => {
  const hmac = (key: Buffer, ...parts: Buffer[]): Buffer => createHmac('sha256', key).update(Buffer.concat(parts)).digest();
  const text = (value: string): Buffer => Buffer.from(value, 'latin1');
  const empty = Buffer.alloc(0);
  const labeled = (suite: Buffer) => ({
    extract: (salt: Buffer, label: string, ikm: Buffer): Buffer => hmac(salt, text('HPKE-v1'), suite, text(label), ikm),
    expand: (prk: Buffer, label: string, context: Buffer, length: number): Buffer =>
      hmac(prk, Buffer.of(0, length), text('HPKE-v1'), suite, text(label), context, Buffer.of(1)).subarray(0, length),
  });
  const kem = labeled(text('KEM\x00\x20'));
  const secret = kem.expand(kem.extract(empty, 'eae_prk', shared), 'shared_secret', Buffer.concat([enc, recipient]), 32);
  const hpke = labeled(text('HPKE\x00\x20\x00\x01\x00\x02'));
  const context = Buffer.concat([
    Buffer.of(0),
    hpke.extract(empty, 'psk_id_hash', empty),
    hpke.extract(empty, 'info_hash', info),
  ]);
  const prk = hpke.extract(secret, 'secret', empty);
  return { key: hpke.expand(prk, 'key', context, 32), nonce: hpke.expand(prk, 'base_nonce', context, 12) };
};

describe('HPKE', () => {
  it('opens a known answer made by another implementation (pyca/cryptography 48, X25519, HKDF-SHA256, AES-256-GCM)', async () => {
    const privateKey = toBase64(Buffer.from(Array.from({ length: 32 }, (_, i) => i)));
    expect(Buffer.from(publicKeyOf('x25519', privateKey), 'base64').toString('hex')).toBe(
      '8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f',
    );
    const sealed = {
      enc: toBase64(Buffer.from('bb0397aff537002371a5cea77ef86b732fd80b28e34478c3fce496e9e43fdc79', 'hex')),
      ciphertext: toBase64(Buffer.from('89afc341f1267a81419bd8e035a2008dd5abae9219440f82e4d05923cfd48140', 'hex')),
    };
    expect((await openSealed({ ...binding, recipientPrivateKey: privateKey, sealed })).toString()).toBe('sealed elsewhere');
  });

  it('seals what the text of RFC 9180 opens', async () => {
    const { publicKey, privateKey } = generateSealKeyPair();
    const sealed = await hpkeSeal(publicKey, Buffer.from('a secret'), { info, aad });
    const shared = diffieHellman({
      privateKey: importPrivateKey('x25519', privateKey),
      publicKey: importPublicKey('x25519', sealed.enc),
    });
    const { key, nonce } = scheduleFromText(shared, Buffer.from(sealed.enc, 'base64'), Buffer.from(publicKey, 'base64'));
    const ciphertext = Buffer.from(sealed.ciphertext, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(aad).setAuthTag(ciphertext.subarray(-16));
    expect(Buffer.concat([decipher.update(ciphertext.subarray(0, -16)), decipher.final()]).toString()).toBe('a secret');
  });

  it('opens what the text of RFC 9180 seals', async () => {
    const { publicKey, privateKey } = generateSealKeyPair();
    const ephemeral = generateKeyPairSync('x25519').privateKey;
    const enc = createPublicKey(ephemeral).export({ format: 'der', type: 'spki' }).subarray(-32);
    const shared = diffieHellman({ privateKey: ephemeral, publicKey: importPublicKey('x25519', publicKey) });
    const { key, nonce } = scheduleFromText(shared, enc, Buffer.from(publicKey, 'base64'));
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(aad);
    const ciphertext = toBase64(Buffer.concat([cipher.update('a secret'), cipher.final(), cipher.getAuthTag()]));
    expect((await hpkeOpen(privateKey, { enc: toBase64(enc), ciphertext }, { info, aad }))?.toString()).toBe('a secret');
  });

  it('refuses a public key that is malformed or of small order', async () => {
    for (const bad of ['', 'AAAA', toBase64(Buffer.alloc(33)), toBase64(Buffer.alloc(32))]) {
      await expect(hpkeSeal(bad, Buffer.from('x'), { info, aad })).rejects.toMatchObject({ code: 'KEYS_INVALID' });
    }
  });
});

describe('a sealed secret', () => {
  const agent = generateSealKeyPair();
  const request = { ...binding, recipientPublicKey: agent.publicKey, plaintext: 'pässwörd şifre' };

  it('opens for the agent, and no two are alike', async () => {
    const [one, two] = await Promise.all([sealSecret(request), sealSecret(request)]);
    expect(one.enc).not.toBe(two.enc);
    const opened = await openSealed({ ...binding, recipientPrivateKey: agent.privateKey, sealed: one });
    expect(opened.toString()).toBe('pässwörd şifre');
  });

  it.each([
    ['agent id', { agentId: 'a-2' }],
    ['purpose', { purpose: 'passphrase-kek' }],
    ['subject', { subject: 'db-2' }],
    ['version', { version: 2 }],
    ['key', { recipientPrivateKey: generateSealKeyPair().privateKey }],
  ])('does not open under another %s', async (_, change) => {
    const sealed = await sealSecret(request);
    await expect(openSealed({ ...binding, recipientPrivateKey: agent.privateKey, sealed, ...change })).rejects.toMatchObject({
      code: 'WRONG_KEY',
    });
  });

  it('does not open when any bit is flipped', async () => {
    const sealed = await sealSecret({ ...request, plaintext: 'x' });
    for (const name of ['enc', 'ciphertext'] as const) {
      const bytes = Buffer.from(sealed[name], 'base64');
      // X25519 ignores the top bit of `enc`; HPKE takes it into the key all the same.
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const damaged = Buffer.from(bytes);
        damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const opening = openSealed({
          ...binding,
          recipientPrivateKey: agent.privateKey,
          sealed: { ...sealed, [name]: toBase64(damaged) },
        });
        await expect(opening).rejects.toMatchObject({ code: 'WRONG_KEY' });
      }
    }
  });
});
