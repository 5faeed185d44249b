import {
  canonicalJson,
  decryptBytes,
  openField,
  openWithAgeIdentity,
  openWithAgentKey,
  openWithKek,
  openWithPassphrase,
  parseKeysFile,
} from '@rahatback/crypto';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { decodeFrame, encodeFrame } from '../frames/frame-codec.js';
import { readIndex } from '../index/index-reader.js';
import { counterSign, parseManifest, signAsAgent, verifyManifest, type Manifest } from '../manifest/index.js';
import { FIXTURES_FOLDER, readFixtures } from './corpus.suite.js';
import * as keys from './test-keys.suite.js';

export const VECTOR_KINDS = ['stream', 'keys', 'manifest', 'index', 'frame', 'envelope'] as const;
export type VectorKind = (typeof VECTOR_KINDS)[number];
type Path = readonly (string | number)[];

/** One change of a base. Offsets count bytes; `parts` are slices of named bases, in order. */
export type VectorEdit =
  | { readonly flip: readonly [at: number, mask: number] }
  | { readonly set: readonly [at: number, hex: string] }
  | { readonly append: string }
  | { readonly parts: readonly (readonly [base: string, from: number, to: number])[] }
  | { readonly replace: readonly [text: string, by: string] }
  | { readonly json: Path; readonly value: unknown }
  | { readonly drop: Path };

/** An input with exactly one fault, and the error that it must give. */
export interface Vector {
  readonly name: string;
  /** A valid input in fixtures/corpus.json; the index has `lines` as well, its text before it is compressed. */
  readonly base: string;
  readonly edit?: VectorEdit;
  /** What makes the rest right again after the edit: the checksum of a keys file, a manifest's signatures. */
  readonly then?: 'resum' | 'resign';
  /** With what it is read, where that is not the usual. */
  readonly with?: string;
  readonly code: string;
}

export const vectorFile = (kind: VectorKind): string => join(FIXTURES_FOLDER, 'vectors', `${kind}.json`);

const fixtures = readFixtures();
const baseOf = (kind: VectorKind, name: string): Buffer => {
  const text = name === 'lines' ? fixtures.plain['index'] : fixtures[kind][name];
  if (text === undefined) throw new Error(`there is no base ${name} of ${kind}`);
  return Buffer.from(text, 'base64');
};

function editJson(
  bytes: Buffer,
  path: Path,
  change: (at: Record<string | number, unknown>, key: string | number) => void,
): Buffer {
  const value = JSON.parse(bytes.toString('utf8')) as Record<string | number, unknown>;
  const at = path.slice(0, -1).reduce((here, key) => here[key] as Record<string | number, unknown>, value);
  change(at, path.at(-1) ?? '');
  return Buffer.from(JSON.stringify(value));
}

function edited(kind: VectorKind, bytes: Buffer, edit: VectorEdit): Buffer {
  const output = Buffer.from(bytes);
  if ('flip' in edit) output.writeUInt8(output.readUInt8(edit.flip[0]) ^ edit.flip[1], edit.flip[0]);
  else if ('set' in edit) Buffer.from(edit.set[1], 'hex').copy(output, edit.set[0]);
  else if ('append' in edit) return Buffer.concat([bytes, Buffer.from(edit.append, 'hex')]);
  else if ('parts' in edit) return Buffer.concat(edit.parts.map(([base, from, to]) => baseOf(kind, base).subarray(from, to)));
  else if ('json' in edit) return editJson(bytes, edit.json, (at, key) => (at[key] = edit.value));
  else if ('drop' in edit) return editJson(bytes, edit.drop, (at, key) => Reflect.deleteProperty(at, key));
  else {
    const text = bytes.toString('utf8');
    if (!text.includes(edit.replace[0])) throw new Error(`there is no ${edit.replace[0]}`);
    return Buffer.from(text.replace(edit.replace[0], () => edit.replace[1]));
  }
  return output;
}

function mended(bytes: Buffer, then: Vector['then']): Buffer {
  if (then === undefined) return bytes;
  const { checksum: _checksum, signatures: _signatures, ...body } = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
  if (then === 'resum') {
    const checksum = createHash('sha256').update(canonicalJson(body)).digest('hex');
    return Buffer.from(JSON.stringify({ ...body, checksum }));
  }
  const signed = signAsAgent(body as unknown as Manifest, keys.AGENT_SIGN.privateKey);
  return Buffer.from(JSON.stringify(counterSign(signed, keys.SERVER_SIGN.privateKey)));
}

/** The bytes of a vector; without its edit those of its base. */
export const inputOf = (kind: VectorKind, { base, edit, then }: Vector): Buffer => {
  const bytes = baseOf(kind, base);
  return edit === undefined ? bytes : mended(edited(kind, bytes, edit), then);
};

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

const FRAME_LENGTHS: Readonly<Record<string, number>> = { empty: 0, text: 360, bytes: 300 };

/** With what the vectors of a kind are read. */
const READERS: Readonly<Record<VectorKind, (input: Buffer, vector: Vector) => unknown>> = {
  stream: (input, vector) => {
    const { params } = keys.streamOptions;
    if (vector.with === 'another key') return decryptBytes(input, { ...keys.streamOptions, key: keys.OTHER_DEK });
    if (vector.with === 'another context')
      return decryptBytes(input, { ...keys.streamOptions, associatedData: Buffer.from('another'), params });
    const sized = vector.with === 'the size in the manifest' ? { ciphertextSize: baseOf('stream', vector.base).length } : {};
    return decryptBytes(input, { ...keys.streamOptions, ...sized });
  },
  keys: async (input, vector) => {
    const file = parseKeysFile(input);
    if (vector.with === 'agent') await openWithAgentKey(file, keys.AGENT_SEAL.privateKey);
    if (vector.with === 'another agent') await openWithAgentKey(file, keys.OTHER_SEAL.privateKey);
    if (vector.with === 'recovery') await openWithAgeIdentity(file, fixtures.recoveryIdentity);
    if (vector.with === 'kek') openWithKek(file, keys.TEST_KEK);
    if (vector.with === 'another kek') openWithKek(file, keys.OTHER_KEK);
    if (vector.with === 'passphrase') await openWithPassphrase(file, 'a passphrase');
  },
  manifest: (input, vector) => {
    const [agent, server] = [keys.AGENT_SIGN.publicKey, keys.SERVER_SIGN.publicKey];
    const pinned = { agentPublicKey: agent, serverPublicKey: server };
    const swapped = { agentPublicKey: server, serverPublicKey: agent };
    verifyManifest(parseManifest(input), vector.with === 'the keys the other way round' ? swapped : pinned);
  },
  index: async (input, { base }) => {
    const stored = base === 'lines' ? await encodeFrame(input, 'zstd') : input;
    let lines = 0;
    for await (const line of readIndex(one(stored))) lines += line.kind === 'end' ? 0 : 1;
    return lines;
  },
  frame: (input, vector) => {
    const [compression, plain = ''] = vector.base.split(' ');
    const length = (FRAME_LENGTHS[plain] ?? 0) + Number(vector.with ?? 0);
    return decodeFrame(input, compression === 'gzip' ? 'gzip' : 'zstd', length);
  },
  envelope: (input, vector) => {
    const field = { ...keys.FIELD, ...(vector.with === 'another row' ? { rowId: 'r-2' } : {}) };
    const moved = { ...field, ...(vector.with === 'another workspace' ? { workspaceId: 'w-2' } : {}) };
    const elsewhere = { ...moved, ...(vector.with === 'another column' ? { column: 'token' } : {}) };
    const ring = vector.with === 'the current key alone' ? { current: keys.KEYRING.current } : keys.KEYRING;
    return openField(ring, elsewhere, input.toString('utf8'));
  },
};

export const readVector = async (kind: VectorKind, input: Buffer, vector: Vector): Promise<unknown> =>
  READERS[kind](input, vector);
