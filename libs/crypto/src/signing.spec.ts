import { generateKeyPairSync } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';
import { privateKeyPem, publicKeyOf } from './raw-keys.js';
import {
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
} from './signing.js';

const agent = generateSigningKeyPair();
const server = generateSigningKeyPair();
const failureOf = (attempt: () => unknown): unknown => {
  try {
    return attempt();
  } catch (error) {
    return error;
  }
};
const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

it('is Ed25519: RFC 8032, section 7.1, test 2', () => {
  const secret = base64('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb');
  const publicKey = base64('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
  const signature = base64(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  );
  expect(publicKeyOf('ed25519', secret)).toBe(publicKey);
  expect(signBytes(secret, Buffer.of(0x72))).toBe(signature);
  expect(verifyBytes(publicKey, Buffer.of(0x72), signature)).toBe(true);
});

describe('keys', () => {
  it('go through PEM and back', () => {
    for (const [curve, pair] of [
      ['ed25519', agent],
      ['x25519', generateSealKeyPair()],
    ] as const) {
      const pem = privateKeyPem(curve, pair.privateKey);
      expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----/);
      expect(publicKeyOf(curve, pem)).toBe(pair.publicKey);
      expect(publicKeyOf(curve, pair.privateKey)).toBe(pair.publicKey);
    }
  });

  it('of another curve, another kind or another size are refused without being quoted', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
      .privateKey.export({ format: 'pem', type: 'pkcs8' })
      .toString();
    const sealing = privateKeyPem('x25519', generateSealKeyPair().privateKey);
    for (const key of ['', 'secret', agent.privateKey.slice(0, -4), rsa, sealing]) {
      const failure = failureOf(() => signBytes(key, Buffer.of(1)));
      expect(failure).toMatchObject({ code: 'KEYS_INVALID' });
      expect(failure).not.toHaveProperty('cause');
    }
    expect(() => verifyBytes('AAAA', Buffer.of(1), '')).toThrow(expect.objectContaining({ code: 'KEYS_INVALID' }));
  });
});

describe('a command', () => {
  const raw = '{"commandId":"c-1", "type":"backup"}';
  const signature = signCommand(server.privateKey, raw);

  it('verifies over its raw text or bytes', () => {
    expect(verifyCommand(server.publicKey, raw, signature)).toBe(true);
    expect(verifyCommand(server.publicKey, Buffer.from(raw), signature)).toBe(true);
  });

  it('does not verify as another text that has the same UTF-8', () => {
    const strange = '{"database":"\ufffd"}';
    const signed = signCommand(server.privateKey, strange);
    expect(verifyCommand(server.publicKey, strange, signed)).toBe(true);
    expect(verifyCommand(server.publicKey, strange.replace('\ufffd', '\ud800'), signed)).toBe(false);
  });

  it('does not verify once a space is gone, a bit is flipped, or another key signed', () => {
    expect(verifyCommand(server.publicKey, raw.replace(', ', ','), signature)).toBe(false);
    expect(verifyCommand(agent.publicKey, raw, signature)).toBe(false);
    const bytes = Buffer.from(signature, 'base64');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(verifyCommand(server.publicKey, raw, damaged.toString('base64'))).toBe(false);
    }
  });

  it.each(['', 'AAAA', `${signature}A`, ` ${signature}`])('does not verify with the malformed signature %p', (malformed) => {
    expect(verifyCommand(server.publicKey, raw, malformed)).toBe(false);
  });
});

describe('domains', () => {
  it('keep a signature to its purpose', () => {
    const value = { serverId: 's', agentId: 'a', nonce: 'n', generation: 1 };
    const domains = [
      sessionProofBytes(value),
      enrolProofBytes({ codeSha256Hex: 'ab', signPublicKey: 'k', sealPublicKey: 'k' }),
      manifestBytes(value, 'agent'),
      manifestBytes(value, 'server'),
    ].map((bytes) => bytes.subarray(0, bytes.indexOf(0)).toString());
    expect(domains).toEqual([
      'rahatback/1 session',
      'rahatback/1 enrol',
      'rahatback/1 manifest agent',
      'rahatback/1 manifest server',
    ]);
    const json = canonicalJson(value).toString();
    const proof = signBytes(agent.privateKey, sessionProofBytes(value));
    expect(verifyBytes(agent.publicKey, sessionProofBytes(value), proof)).toBe(true);
    expect(verifyBytes(agent.publicKey, Buffer.from(json), proof)).toBe(false);
    expect(verifyCommand(agent.publicKey, json, proof)).toBe(false);
  });

  it('take only the named fields into a proof', () => {
    const challenge = { serverId: 's', agentId: 'a', nonce: 'n', generation: 1, more: 'x' };
    expect(sessionProofBytes(challenge).toString()).toBe(
      'rahatback/1 session\0{"agentId":"a","generation":1,"nonce":"n","serverId":"s"}',
    );
  });
});

describe('a manifest', () => {
  const manifest = { format: 'rahatback/1', fence: 4, volumes: [{ sizeBytes: 56 }] };
  const byAgent = {
    signer: 'agent',
    publicKey: agent.publicKey,
    signature: signManifest(manifest, 'agent', agent.privateKey),
  } as const;

  it('verifies in any order of members and with its signatures in it', () => {
    const stored = { volumes: [{ sizeBytes: 56 }], signatures: { agent: byAgent.signature }, fence: 4, format: 'rahatback/1' };
    expect(() => verifyManifest(stored, byAgent)).not.toThrow();
    const byServer = {
      signer: 'server',
      publicKey: server.publicKey,
      signature: signManifest(stored, 'server', server.privateKey),
    } as const;
    expect(() =>
      verifyManifest({ ...stored, signatures: { ...stored.signatures, server: byServer.signature } }, byServer),
    ).not.toThrow();
  });

  it.each([
    ['a changed value', { ...manifest, fence: 5 }, byAgent],
    ['an added member', { ...manifest, note: '' }, byAgent],
    ['a nested change', { ...manifest, volumes: [{ sizeBytes: 57 }] }, byAgent],
    ['another signer', manifest, { ...byAgent, signer: 'server' } as const],
    ['another key', manifest, { ...byAgent, publicKey: server.publicKey }],
    ['no signature', manifest, { ...byAgent, signature: '' }],
  ])('is MANIFEST_INVALID with %s', (_, value, signature) => {
    expect(() => verifyManifest(value, signature)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }));
  });
});
