import {
  createKeysFile,
  ciphertextSize,
  commitmentOf,
  encryptBytes,
  generateRecoveryIdentity,
  pinnedKeysText,
  recoveryKitText,
  sealField,
  segmentCount,
  serializeKeysFile,
  toTinkKeyset,
} from '@rahatback/crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { encodeFrame } from '../frames/frame-codec.js';
import { counterSign, serializeManifest, signAsAgent, type ManifestBody } from '../manifest/index.js';
import { CORPUS_FILE, FIXTURES_FOLDER } from './corpus.suite.js';
import { indexLines } from './index-lines.suite.js';
import * as keys from './test-keys.suite.js';

type Kind = Record<string, string>;
const base64 = (bytes: Buffer | string): string => Buffer.from(bytes).toString('base64');
const encoded = (entries: Record<string, Buffer | string>): Kind =>
  Object.fromEntries(Object.entries(entries).map(([name, bytes]) => [name, base64(bytes)]));

/** Segment 0 holds 72 plain bytes, every other 112. */
const PLAIN_SIZES: Record<string, number> = { empty: 0, byte: 1, 'one-segment': 72, 'two-segments': 100, 'four-segments': 408 };
const plainOf = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, at) => (at * 7) % 251));

const record = (name: string, plainBytes: number): ManifestBody['index'] => {
  const storedBytes = ciphertextSize(plainBytes);
  return { name, plainBytes, storedBytes, segments: segmentCount(storedBytes), sha256: 'ab'.repeat(32) };
};
const manifestBody: ManifestBody = {
  format: 1,
  writer: 'rahatback 0.1.0',
  backupId: 'b-1',
  workspaceId: 'w-1',
  databaseId: 'd-1',
  fence: 3,
  agentId: 'a-1',
  engine: 'postgresql',
  dumpFormat: 'plain',
  serverVersion: '15.20',
  tool: 'pg_dump 15.20 \ufffd',
  type: 'full',
  chain: { id: 'c-1', links: [] },
  compression: 'zstd',
  suite: 'AES256_GCM_HKDF_1MB',
  commitment: commitmentOf(keys.TEST_DEK, keys.KEYS_CONTEXT),
  volumes: [record('data-00001', 5_000_000), record('data-00002', 10)],
  index: record('index', 77),
  dumpBytes: 12_345,
  startedAt: '2026-11-20T10:00:00.000Z',
  completedAt: '2026-11-20T10:00:05.000Z',
};
const manifestOf = (change: Partial<ManifestBody>): Buffer =>
  serializeManifest(
    counterSign(signAsAgent({ ...manifestBody, ...change }, keys.AGENT_SIGN.privateKey), keys.SERVER_SIGN.privateKey),
  );

const framesOf = async (): Promise<Kind> => {
  const plains = { empty: Buffer.alloc(0), text: Buffer.from('row\tof text\n'.repeat(30)), bytes: plainOf(300) };
  const frames: Kind = {};
  for (const [name, plain] of Object.entries(plains)) {
    frames[`zstd ${name}`] = base64(await encodeFrame(plain, 'zstd'));
    frames[`gzip ${name}`] = base64(await encodeFrame(plain, 'gzip'));
  }
  return frames;
};

/** jest --testMatch '**\/fixtures.make-spec.ts': the nonces and sealed keys are new each time, so a run changes the file. */
it('writes fixtures/corpus.json', async () => {
  const recovery = await generateRecoveryIdentity();
  const kek = { kek: keys.TEST_KEK, ...keys.KDF };
  const agent = { agentId: 'a-1', sealPublicKey: keys.AGENT_SEAL.publicKey };
  const request = { dek: keys.TEST_DEK, context: keys.KEYS_CONTEXT, agents: [agent], ageRecipients: [recovery.recipient] };
  const pinned = {
    workspaceName: 'Öztürk Yazılım A.Ş.',
    createdAt: '2026-11-20T10:00:00Z',
    agentKeys: [{ id: 'a-1', publicKey: keys.AGENT_SIGN.publicKey }],
    serverKeys: [{ id: 's-1', publicKey: keys.SERVER_SIGN.publicKey }],
  };
  const stream = Object.entries(PLAIN_SIZES).map(
    ([name, size]) => [name, encryptBytes(plainOf(size), { ...keys.streamOptions, ...keys.fixedHeader(name) })] as const,
  );
  const block = (lines: readonly string[]): Promise<Buffer> => encodeFrame(Buffer.from(`${lines.join('\n')}\n`), 'zstd');
  const lines = indexLines();
  const fixtures = {
    recoveryIdentity: recovery.identity,
    plain: encoded({ index: `${lines.join('\n')}\n`, keyset: toTinkKeyset(keys.TEST_DEK) }),
    stream: encoded(Object.fromEntries(stream)),
    keys: encoded({
      all: serializeKeysFile(await createKeysFile({ ...request, passphrase: kek })),
      agent: serializeKeysFile(await createKeysFile({ ...request, ageRecipients: [], generation: 2 })),
      passphrase: serializeKeysFile(await createKeysFile({ ...request, agents: [], ageRecipients: [], passphrase: kek })),
    }),
    manifest: encoded({
      full: manifestOf({}),
      incremental: manifestOf({ type: 'incremental', chain: { id: 'c-1', links: ['b-0', 'b-00'] }, volumes: [] }),
    }),
    index: encoded({
      'one-block': await block(lines),
      'two-blocks': Buffer.concat([await block(lines.slice(0, 3)), await block(lines.slice(3))]),
    }),
    frame: await framesOf(),
    envelope: encoded({
      current: sealField(keys.KEYRING, keys.FIELD, 'a password'),
      previous: sealField({ current: keys.KEYRING.previous }, keys.FIELD, 'another password'),
      empty: sealField(keys.KEYRING, keys.FIELD, ''),
    }),
    kit: encoded({ kit: recoveryKitText({ ...pinned, ...recovery }), pinned: pinnedKeysText(pinned) }),
  };
  mkdirSync(FIXTURES_FOLDER, { recursive: true });
  writeFileSync(CORPUS_FILE, `${JSON.stringify(fixtures, null, 2)}\n`);
});
