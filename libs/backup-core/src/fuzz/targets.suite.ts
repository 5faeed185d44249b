import { AppError } from '@rahatback/contracts';
import {
  canonicalJson,
  CryptoError,
  decryptBytes,
  fromTinkKeyset,
  openField,
  openWithAgeIdentity,
  openWithAgentKey,
  openWithKek,
  parseKeysFile,
  parsePinnedKeys,
  parseRecoveryKit,
  SegmentReader,
} from '@rahatback/crypto';
import { mutateJson, STRANGE_VALUES, type FuzzShare, type FuzzTarget, type SeededRandom } from '@rahatback/testing';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { ChunkTable } from '../index/chunk-table.js';
import { FactsAssembler, readIndex } from '../index/index-reader.js';
import { decodeFrame } from '../frames/frame-codec.js';
import { zstdFrameLength } from '../frames/zstd-frame.js';
import { parseManifest, signAsAgent, verifyManifest, type Manifest } from '../manifest/index.js';
import { bytesOf, readFixtures } from './corpus.suite.js';
import { dumpTargets } from './dump-targets.suite.js';
import * as keys from './test-keys.suite.js';

const fixtures = readFixtures();
const JSON_TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\ud800',
  '\\u0000',
  'null',
  '"__proto__":',
  '1e999',
  '\ufeff',
  '"format":',
];

export const codeOf = (error: unknown): string | null =>
  error instanceof AppError || error instanceof CryptoError ? error.code : null;

/** Values of any JSON shape by fast-check, beside our own list of strange ones. */
export const strangeJson = (seed: number): readonly unknown[] => [
  ...STRANGE_VALUES,
  ...STRANGE_VALUES,
  ...fc.sample(fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }), { seed, numRuns: 100 }),
];
const STRANGE = strangeJson(1);
const jsonOf = (bytes: Buffer): object => JSON.parse(bytes.toString('utf8')) as object;

const altered = (bases: readonly Buffer[], finish: (value: unknown) => unknown = (value) => value) => {
  const values = bases.map(jsonOf);
  return (random: SeededRandom): Buffer =>
    Buffer.from(JSON.stringify(finish(mutateJson(random, random.pick(values), STRANGE))) ?? 'null');
};

const stream: FuzzTarget = {
  name: 'stream',
  corpus: bytesOf(fixtures.stream),
  authentic: true,
  codeOf,
  read: (input) => decryptBytes(input, keys.streamOptions).toString('hex'),
};

/** The first segment as a range read opens it, its size being the manifest's. */
const streamRange: FuzzTarget = {
  name: 'stream range',
  corpus: [Buffer.from(fixtures.stream['four-segments'] ?? '', 'base64')],
  authentic: true,
  codeOf,
  read: (input) => {
    const ciphertextSize = Buffer.from(fixtures.stream['four-segments'] ?? '', 'base64').length;
    const reader = new SegmentReader({ ...keys.streamOptions, header: input, ciphertextSize });
    const { start, end } = reader.cipherRange(100, 300);
    return reader.decryptRange(100, 300, input.subarray(start, end)).toString('hex');
  },
};

const keysFile: FuzzTarget = {
  name: 'keys file',
  corpus: bytesOf(fixtures.keys),
  tokens: JSON_TOKENS,
  build: altered(bytesOf(fixtures.keys)),
  authentic: true,
  codeOf,
  read: (input) => canonicalJson(parseKeysFile(input)).toString(),
};

/** Somebody else's file: the checksum is right, so slots and commitment must tell. */
const resummed = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { checksum: _checksum, ...body } = value as Record<string, unknown>;
  try {
    return { ...body, checksum: createHash('sha256').update(canonicalJson(body)).digest('hex') };
  } catch {
    return value;
  }
};
const keysOpening = (name: string, bases: readonly string[], open: FuzzTarget['read']): FuzzTarget => {
  const corpus = bases.map((base) => Buffer.from(fixtures.keys[base] ?? '', 'base64'));
  return { name, corpus, tokens: JSON_TOKENS, build: altered(corpus, resummed), authentic: true, codeOf, read: open };
};
const keysOpenings: readonly FuzzTarget[] = [
  keysOpening('keys file, passphrase slot', ['all', 'passphrase'], (input) =>
    openWithKek(parseKeysFile(input), keys.TEST_KEK).toString('hex'),
  ),
  keysOpening('keys file, agent slot', ['all', 'agent'], async (input) =>
    (await openWithAgentKey(parseKeysFile(input), keys.AGENT_SEAL.privateKey)).toString('hex'),
  ),
  keysOpening('keys file, recovery slot', ['all'], async (input) =>
    (await openWithAgeIdentity(parseKeysFile(input), fixtures.recoveryIdentity)).toString('hex'),
  ),
];

const unsigned = (manifest: Manifest): string => canonicalJson({ ...manifest, signatures: null }).toString();
const manifest: FuzzTarget = {
  name: 'manifest',
  corpus: bytesOf(fixtures.manifest),
  tokens: JSON_TOKENS,
  build: altered(bytesOf(fixtures.manifest)),
  authentic: true,
  codeOf,
  read: (input) => {
    const read = parseManifest(input);
    verifyManifest(read, { agentPublicKey: keys.AGENT_SIGN.publicKey, serverPublicKey: keys.SERVER_SIGN.publicKey });
    return unsigned(read);
  },
};

/** What an agent signed that does not keep to the format. */
const resigned = (value: unknown): unknown => {
  try {
    const { signatures: _signatures, ...body } = value as Manifest;
    return signAsAgent(body, keys.AGENT_SIGN.privateKey);
  } catch {
    return value;
  }
};
const manifestOfAgent: FuzzTarget = {
  name: 'manifest, signed as altered',
  corpus: bytesOf(fixtures.manifest),
  build: altered(bytesOf(fixtures.manifest), resigned),
  codeOf,
  read: (input) => {
    const read = parseManifest(input);
    verifyManifest(read, { agentPublicKey: keys.AGENT_SIGN.publicKey });
    return read.backupId;
  },
};

async function* piecesOf(input: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < input.length; at += 4096) yield input.subarray(at, at + 4096);
}

const indexText = Buffer.from(fixtures.plain['index'] ?? '', 'base64').toString();
const indexValues = indexText
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as unknown);
const alteredLine = (random: SeededRandom): Buffer => {
  const lines = [...indexValues];
  const at = random.int(lines.length);
  lines[at] = mutateJson(random, lines[at], STRANGE);
  const text = lines.map((line) => JSON.stringify(line)).join(random.int(10) === 0 ? '\n\n' : '\n');
  return zstdCompressSync(random.int(10) === 0 ? text.slice(0, random.int(text.length)) : `${text}\n`);
};

/** Read as a chain is loaded: chunks into the table, facts together. */
const index: FuzzTarget = {
  name: 'index',
  corpus: bytesOf(fixtures.index),
  build: alteredLine,
  codeOf,
  read: async (input) => {
    const table = new ChunkTable();
    const facts = new FactsAssembler();
    for await (const line of readIndex(piecesOf(input))) {
      if (line.kind === 'run') table.add(line.run);
      else if (line.kind === 'facts') facts.add(line.part);
    }
    return [table.size, facts.facts().tables.length];
  },
};

const framesOfKind = (kind: string): Buffer[] =>
  Object.entries(fixtures.frame).flatMap(([name, bytes]) => (name.startsWith(kind) ? [Buffer.from(bytes, 'base64')] : []));
const PLAIN_LENGTHS = [0, 300, 360];
const decodedAs = async (input: Buffer, compression: 'zstd' | 'gzip'): Promise<number> => {
  let refusal: unknown;
  for (const length of PLAIN_LENGTHS) {
    const plain = await decodeFrame(input, compression, length).catch((error: unknown) => error);
    if (Buffer.isBuffer(plain)) return plain.length;
    if (codeOf(plain) === null) throw plain;
    refusal = plain;
  }
  throw refusal;
};
const zstdFrame: FuzzTarget = {
  name: 'zstd frame',
  corpus: framesOfKind('zstd'),
  codeOf,
  read: (input) => decodedAs(input, 'zstd'),
};
const gzipFrame: FuzzTarget = {
  name: 'gzip frame',
  corpus: framesOfKind('gzip'),
  codeOf,
  read: (input) => decodedAs(input, 'gzip'),
};
const zstdLength: FuzzTarget = {
  name: 'zstd frame length',
  corpus: framesOfKind('zstd'),
  codeOf,
  read: (input) => {
    const length = zstdFrameLength(input);
    if (length !== null && (length < 5 || length > input.length)) throw new Error(`a frame of ${length} bytes`);
    return length;
  },
};

const envelope: FuzzTarget = {
  name: 'sealed field',
  corpus: bytesOf(fixtures.envelope),
  tokens: ['|', '1|', '2|', 'k1', 'k2', '=', '-', '_', '+', '/'],
  authentic: true,
  codeOf,
  read: (input) => openField(keys.KEYRING, keys.FIELD, input.toString('utf8')).toString('hex'),
};
const keyset: FuzzTarget = {
  name: 'Tink keyset',
  corpus: [Buffer.from(fixtures.plain['keyset'] ?? '', 'base64')],
  tokens: JSON_TOKENS,
  build: altered([Buffer.from(fixtures.plain['keyset'] ?? '', 'base64')]),
  codeOf,
  read: (input) => fromTinkKeyset(input.toString('utf8')).length,
};
const KIT_TOKENS = [
  'agent ',
  'server ',
  'AGE-SECRET-KEY-1',
  'age1',
  'Check / Kontrol: ',
  '\n',
  '\r\n',
  '\t',
  ' ',
  'ß',
  'İ',
  '\u2028',
  '=',
];
const kit: FuzzTarget = {
  name: 'recovery kit',
  corpus: [Buffer.from(fixtures.kit['kit'] ?? '', 'base64')],
  tokens: KIT_TOKENS,
  codeOf,
  read: (input) => parseRecoveryKit(input.toString('utf8')).recipient,
};
const pinned: FuzzTarget = {
  name: 'pinned keys',
  corpus: bytesOf(fixtures.kit),
  tokens: KIT_TOKENS,
  codeOf,
  read: (input) => parsePinnedKeys(input.toString('utf8')).agentKeys.length,
};

/** Weights by speed: what takes milliseconds (the recovery slot, the zstd worker threads) gets few. */
export const CORE_SHARES: readonly FuzzShare[] = [
  { target: stream, weight: 90 },
  { target: streamRange, weight: 60 },
  { target: keysFile, weight: 60 },
  ...keysOpenings.map((target, position) => ({ target, weight: [40, 10, 3][position] ?? 1 })),
  { target: manifest, weight: 60 },
  { target: manifestOfAgent, weight: 30 },
  { target: index, weight: 40 },
  { target: zstdFrame, weight: 15 },
  { target: gzipFrame, weight: 15 },
  { target: zstdLength, weight: 60 },
  { target: envelope, weight: 70 },
  { target: keyset, weight: 50 },
  { target: kit, weight: 30 },
  { target: pinned, weight: 30 },
  ...dumpTargets().map((target) => ({ target, weight: 24 })),
];
