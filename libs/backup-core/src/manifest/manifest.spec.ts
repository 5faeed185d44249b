import { ciphertextSize, generateSigningKeyPair, segmentCount } from '@rahatback/crypto';
import { counterSign, parseManifest, serializeManifest, signAsAgent, verifyManifest, type ManifestBody } from './index.js';

const record = (name: string, plainBytes: number): ManifestBody['index'] => {
  const storedBytes = ciphertextSize(plainBytes);
  return { name, plainBytes, storedBytes, segments: segmentCount(storedBytes), sha256: 'ab'.repeat(32) };
};
const body: ManifestBody = {
  format: 1,
  writer: 'rahatback 0.1.0',
  backupId: 'b1',
  workspaceId: 'w1',
  databaseId: 'd1',
  fence: 3,
  agentId: 'a1',
  engine: 'postgresql',
  dumpFormat: 'plain',
  serverVersion: '15.20',
  tool: 'pg_dump 15.20',
  type: 'full',
  chain: { id: 'c1', links: [] },
  compression: 'zstd',
  suite: 'AES256_GCM_HKDF_1MB',
  commitment: Buffer.alloc(32, 1).toString('base64'),
  volumes: [record('data-00001', 5_000_000), record('data-00002', 10)],
  index: record('index', 77),
  dumpBytes: 12_345,
  startedAt: '2026-11-20T10:00:00.000Z',
  completedAt: '2026-11-20T10:00:05.000Z',
};
const agent = generateSigningKeyPair();
const server = generateSigningKeyPair();
const signed = signAsAgent(body, agent.privateKey);

/** Every path to a value in the manifest. */
const paths = (value: unknown, path: (string | number)[] = []): (string | number)[][] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, child]) => paths(child, [...path, Array.isArray(value) ? Number(key) : key]))
    : [path];
const altered = (path: (string | number)[], value: unknown): unknown => {
  const copy = structuredClone(signed) as unknown;
  let at = copy as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  at[path.at(-1) ?? ''] = value;
  return copy;
};
const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe('manifest', () => {
  it('survives storing, is signed by the agent and counter-signed by the server', () => {
    const read = parseManifest(serializeManifest(signed));
    verifyManifest(read, { agentPublicKey: agent.publicKey });
    expect(() => verifyManifest(read, { agentPublicKey: agent.publicKey, serverPublicKey: server.publicKey })).toThrow(
      /not counter-signed/,
    );
    const countered = parseManifest(serializeManifest(counterSign(read, server.privateKey)));
    verifyManifest(countered, { agentPublicKey: agent.publicKey, serverPublicKey: server.publicKey });
    expect(() => verifyManifest(countered, { agentPublicKey: server.publicKey })).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }) as Error,
    );
    expect(() => verifyManifest(countered, { agentPublicKey: agent.publicKey, serverPublicKey: agent.publicKey })).toThrow(
      /MANIFEST_INVALID|signed/,
    );
  });

  it('covers every value with the signature', () => {
    for (const path of paths(body)) {
      const value = path.reduce<unknown>((at, key) => (at as Record<string | number, unknown>)[key], body);
      const forged = altered(path, typeof value === 'number' ? value + 1 : `${String(value)}x`) as never;
      expect(() => verifyManifest(forged, { agentPublicKey: agent.publicKey })).toThrow(
        expect.objectContaining({ code: 'MANIFEST_INVALID' }) as Error,
      );
    }
  });

  it('refuses a missing, strange or additional member', () => {
    for (const path of paths(signed)) {
      for (const strange of [undefined, null, -1, {}, [], '', '\ud800']) {
        expect(() => parseManifest(bytesOf(altered(path, strange)))).toThrow(
          expect.objectContaining({ code: 'MANIFEST_INVALID' }) as Error,
        );
      }
    }
    for (const more of [
      { ...signed, tables: [] },
      { ...signed, index: { ...signed.index, more: 1 } },
    ]) {
      expect(() => parseManifest(bytesOf(more))).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }) as Error);
    }
  });

  it('refuses sizes that do not fit each other, volumes out of order, and a full that points elsewhere', () => {
    const [first, second] = signed.volumes;
    const wrong = [
      { ...signed, index: { ...signed.index, storedBytes: signed.index.storedBytes + 1 } },
      { ...signed, index: { ...signed.index, segments: 2 } },
      { ...signed, volumes: [second, first] },
      { ...signed, chain: { id: 'c1', links: ['b0'] } },
    ];
    for (const each of wrong)
      expect(() => parseManifest(bytesOf(each))).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }) as Error);
  });

  it('names both versions when the format is newer, and refuses what is cut short', () => {
    expect(() => parseManifest(bytesOf({ ...signed, format: 3 }))).toThrow(
      expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }) as Error,
    );
    expect(() => parseManifest(bytesOf({ format: 3 }))).toThrow(/format 3.*format 1/);
    const bytes = serializeManifest(signed);
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => parseManifest(bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: 'MANIFEST_INVALID' }) as Error,
      );
    }
    expect(() => parseManifest(Buffer.alloc(300_000, 0x20))).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }) as Error,
    );
  });
});
