import type { SeededRandom } from '../random.js';

/** What mutations of one parser's inputs draw from. */
export interface MutationPool {
  /** Valid inputs; splices take their second half from another one. */
  readonly corpus: readonly Buffer[];
  /** Words and marks that the parser knows. */
  readonly tokens: readonly Buffer[];
}

type Mutation = (random: SeededRandom, input: Buffer, pool: MutationPool) => Buffer;

/** Where sizes, signs and counters turn over. */
const INTEGERS = [0, 1, 2, 16, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];
const NUMBERS = [
  ...['0', '-0', '-1', '1', '1e3', '1e999', '0.5', '255', '65536', '2147483648', '4294967296', '9007199254740991'],
  ...['9007199254740993', '18446744073709551616', '99999999999999999999999', 'NaN', 'null', '""', '[]', '{}'],
];
const MAX_BLOCK_BYTES = 64;
/** A token is now and then repeated up to this size: what takes quadratic time shows there. */
const MAX_REPEATED_BYTES = 96 * 1024;

/** A place in the input, its end included. */
const place = (random: SeededRandom, input: Buffer): number => random.int(input.length + 1);

const blockIn = (random: SeededRandom, input: Buffer): { readonly from: number; readonly to: number } => {
  const from = place(random, input);
  return { from, to: Math.min(input.length, from + 1 + random.int(MAX_BLOCK_BYTES)) };
};

const replaced = (input: Buffer, from: number, to: number, ...by: readonly Buffer[]): Buffer =>
  Buffer.concat([input.subarray(0, from), ...by, input.subarray(to)]);

const flipBit: Mutation = (random, input) => {
  const output = Buffer.from(input);
  const bit = random.int(input.length * 8);
  if (input.length > 0) output.writeUInt8(output.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return output;
};

const setByte: Mutation = (random, input) => {
  const output = Buffer.from(input);
  if (input.length > 0) output.writeUInt8(random.int(256), random.int(input.length));
  return output;
};

const insertBytes: Mutation = (random, input) => {
  const at = place(random, input);
  return replaced(input, at, at, random.bytes(1 + random.int(16)));
};

const deleteBlock: Mutation = (random, input) => {
  const { from, to } = blockIn(random, input);
  return replaced(input, from, to);
};

const copyBlock: Mutation = (random, input) => {
  const { from, to } = blockIn(random, input);
  const at = place(random, input);
  return replaced(input, at, at, input.subarray(from, to));
};

const swapBlocks: Mutation = (random, input) => {
  const [a = 0, b = 0, c = 0] = [place(random, input), place(random, input), place(random, input)].sort((x, y) => x - y);
  return replaced(input, a, c, input.subarray(b, c), input.subarray(a, b));
};

/** One to six bytes become an integer at a limit, in either byte order: lengths, counts and offsets are such fields. */
const setInteger: Mutation = (random, input) => {
  const size = random.pick([1, 2, 3, 4, 6]);
  if (input.length < size) return insertBytes(random, input, { corpus: [], tokens: [] });
  const output = Buffer.from(input);
  const value = random.pick(INTEGERS) % 2 ** (size * 8);
  const at = random.int(input.length - size + 1);
  if (random.int(2) === 0) output.writeUIntLE(value, at, size);
  else output.writeUIntBE(value, at, size);
  return output;
};

/** A decimal number of a text becomes another. */
const setNumber: Mutation = (random, input, pool) => {
  const text = input.toString('latin1');
  const found = [...text.matchAll(/-?\d+/g)];
  if (found.length === 0) return setInteger(random, input, pool);
  const { 0: digits, index } = random.pick(found);
  return replaced(input, index, index + digits.length, Buffer.from(random.pick(NUMBERS)));
};

const truncate: Mutation = (random, input) => input.subarray(0, random.int(input.length + 1));

const splice: Mutation = (random, input, { corpus }) => {
  const other = corpus.length > 0 ? random.pick(corpus) : input;
  return Buffer.concat([input.subarray(0, place(random, input)), other.subarray(place(random, other))]);
};

const insertToken: Mutation = (random, input, { tokens }) => {
  const at = place(random, input);
  return tokens.length > 0 ? replaced(input, at, at, random.pick(tokens)) : flipBit(random, input, { corpus: [], tokens });
};

const repeatToken: Mutation = (random, input, { tokens }) => {
  const { from, to } = blockIn(random, input);
  const token = tokens.length > 0 && random.int(2) === 0 ? random.pick(tokens) : input.subarray(from, to);
  const times = token.length === 0 ? 0 : Math.floor(random.int(MAX_REPEATED_BYTES) / token.length);
  return replaced(input, from, from, Buffer.alloc(times * token.length, token));
};

const MUTATIONS: readonly Mutation[] = [
  ...[flipBit, flipBit, setByte, insertBytes, deleteBlock, copyBlock, swapBlocks],
  ...[setInteger, setInteger, setNumber, setNumber, truncate, splice, insertToken, insertToken],
];
const REPEAT_ONE_IN = 250;

/** One to four edits of a valid input: bits, bytes, blocks, integers at limits, cuts, splices of two, tokens put in or repeated. */
export function mutate(random: SeededRandom, pool: MutationPool): Buffer {
  let input: Buffer = random.pick(pool.corpus);
  const edits = random.int(3) === 0 ? 2 + random.int(3) : 1;
  for (let edit = 0; edit < edits; edit += 1) input = random.pick(MUTATIONS)(random, input, pool);
  return random.int(REPEAT_ONE_IN) === 0 ? repeatToken(random, input, pool) : input;
}

/** Any JSON value with one to three of its members replaced, removed, doubled or added to; lone surrogates and `__proto__` included. */
export function mutateJson(random: SeededRandom, value: unknown, strange: readonly unknown[]): unknown {
  const copy: unknown = structuredClone(value);
  const edits = 1 + random.int(3);
  let edited = copy;
  for (let edit = 0; edit < edits; edit += 1) edited = editOne(random, edited, strange);
  return edited;
}

function editOne(random: SeededRandom, root: unknown, strange: readonly unknown[]): unknown {
  const isBranch = typeof root === 'object' && root !== null && Object.keys(root).length > 0;
  if (!isBranch || random.int(20) === 0) return structuredClone(random.pick(strange));
  const branch = root as Record<string, unknown>;
  const key = random.pick(Object.keys(branch));
  if (random.int(2) === 0 && typeof branch[key] === 'object') {
    branch[key] = editOne(random, branch[key], strange);
    return branch;
  }
  const other = random.pick(Object.keys(branch));
  const edits = [
    () => (branch[key] = structuredClone(random.pick(strange))),
    () => (branch[key] = structuredClone(random.pick(strange))),
    () => (branch[key] = branch[other]),
    () => Reflect.deleteProperty(branch, key),
    () => addMember(random, branch, branch[key]),
    () => (branch[key] = typeof branch[key] === 'string' ? editText(random, branch[key]) : [branch[key], branch[key]]),
  ];
  random.pick(edits)();
  return branch;
}

function addMember(random: SeededRandom, branch: Record<string, unknown>, value: unknown): void {
  if (Array.isArray(branch)) branch.push(value);
  else Object.defineProperty(branch, random.pick(STRANGE_NAMES), { ...ORDINARY, value });
}

const ORDINARY = { enumerable: true, configurable: true, writable: true };
const STRANGE_NAMES = ['__proto__', 'constructor', 'toJSON', 'length', 'extra', '0', ''];
const STRANGE_CHARACTERS = ['\ud800', '\udfff', '\0', '\n', '\u2028', '\ufffd', '/', '..', '"', '\\', 'İ', '=', ' '];

function editText(random: SeededRandom, text: string): string {
  // Both have the same UTF-8 once it is written: what is signed as one may not be read as the other.
  if (text.includes('\ufffd') && random.int(4) === 0) return text.replace('\ufffd', '\ud800');
  const at = random.int(text.length + 1);
  return text.slice(0, at) + random.pick(STRANGE_CHARACTERS) + text.slice(at + random.int(2));
}

/** Values at which checks of JSON members fail; the caller adds its own. */
export const STRANGE_VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 0.5, 1, 255, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, 2 ** 53, 1e300, '', ' ', '\0', 'a'],
  ...[
    '\ud800',
    '\udfff\ud800',
    '\ufffd',
    '__proto__',
    '../../etc/passwd',
    'a\nb',
    'İı',
    '9'.repeat(400),
    'AAAA',
    'AAA=',
    '=',
    '-',
  ],
  ...[[], {}, [[]], [null], [[[[[[]]]]]], { length: 1e9 }, { toString: 1 }, JSON.parse('{"__proto__":{"a":1}}') as unknown],
];
