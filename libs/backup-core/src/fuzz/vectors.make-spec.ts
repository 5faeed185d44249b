import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { readFixtures } from './corpus.suite.js';
import { VECTOR_KINDS, vectorFile, type Vector, type VectorEdit, type VectorKind } from './vector.suite.js';

const fixtures = readFixtures();
/** `outcome`: the code, and what else is said of the vector. */
const vector = (
  name: string,
  base: string,
  edit: VectorEdit | undefined,
  outcome: string | readonly [code: string, more: Partial<Vector>],
): Vector => {
  const [code, more] = typeof outcome === 'string' ? [outcome, {}] : outcome;
  return { name, base, ...(edit === undefined ? {} : { edit }), ...more, code };
};
const other32 = Buffer.alloc(32, 7).toString('base64');

/** Four full segments of 128 bytes; the first begins with the header of 40. */
const FOUR = 'four-segments';
const segmentOf = (index: number): readonly [string, number, number] => [FOUR, index * 128, (index + 1) * 128];
const segments = (...indexes: readonly number[]): VectorEdit => ({ parts: indexes.map(segmentOf) });
const cut = (to: number): VectorEdit => ({ parts: [[FOUR, 0, to]] });
const SIZED = { with: 'the size in the manifest' };

const flipped = [
  ...[0, 1, 32, 33, 39].map((at) => [`byte ${at} of the header`, at] as const),
  ...[0, 1, 2, 3].flatMap((index) =>
    [index === 0 ? 40 : index * 128, index * 128 + 111, index * 128 + 112, index * 128 + 127].map(
      (at) => [`byte ${at}, in segment ${index}`, at] as const,
    ),
  ),
];
const streamVectors: readonly Vector[] = [
  ...flipped.map(([what, at]) => vector(`one bit of ${what} is flipped`, FOUR, { flip: [at, 1] }, 'DATA_CORRUPT')),
  vector('the highest bit of the last byte is flipped', FOUR, { flip: [511, 128] }, 'DATA_CORRUPT'),
  ...[0, 1, 39, 40, 55].map((to) => vector(`ends after ${to} bytes, in its first segment`, FOUR, cut(to), 'DATA_TRUNCATED')),
  ...[128, 256, 384].map((to) => vector(`ends after ${to} bytes, between segments`, FOUR, cut(to), 'DATA_TRUNCATED')),
  ...[129, 144].map((to) => vector(`ends after ${to} bytes, before a tag is whole`, FOUR, cut(to), 'DATA_TRUNCATED')),
  ...[56, 145, 511].map((to) => vector(`ends after ${to} bytes, inside a segment`, FOUR, cut(to), 'DATA_CORRUPT')),
  ...[56, 145, 511].map((to) => vector(`ends after ${to} bytes, its size being known`, FOUR, cut(to), ['DATA_TRUNCATED', SIZED])),
  vector('one byte is added', FOUR, { append: '00' }, 'DATA_CORRUPT'),
  vector('an empty segment is added', FOUR, { append: '00'.repeat(16) }, 'DATA_CORRUPT'),
  vector('one byte is added, the size being known', FOUR, { append: '00' }, ['DATA_CORRUPT', SIZED]),
  vector('the last segment stands twice', FOUR, segments(0, 1, 2, 3, 3), 'DATA_CORRUPT'),
  vector('segment 1 stands twice', FOUR, segments(0, 1, 1, 2, 3), 'DATA_CORRUPT'),
  vector('segments 1 and 2 have changed places', FOUR, segments(0, 2, 1, 3), 'DATA_CORRUPT'),
  vector('segment 1 is missing', FOUR, segments(0, 2, 3), 'DATA_CORRUPT'),
  vector('the last segment stands before its neighbour', FOUR, segments(0, 1, 3, 2), 'DATA_CORRUPT'),
  vector('the header is missing', FOUR, { parts: [[FOUR, 40, 512]] }, 'DATA_CORRUPT'),
  vector(
    'the header is of another object',
    FOUR,
    {
      parts: [
        ['one-segment', 0, 40],
        [FOUR, 40, 512],
      ],
    },
    'DATA_CORRUPT',
  ),
  vector(
    'the first segment is of another object',
    FOUR,
    {
      parts: [
        ['one-segment', 0, 128],
        [FOUR, 128, 512],
      ],
    },
    'DATA_CORRUPT',
  ),
  vector(
    'the last segment is of another object',
    FOUR,
    {
      parts: [
        [FOUR, 0, 128],
        ['two-segments', 128, 172],
      ],
    },
    'DATA_CORRUPT',
  ),
  vector(
    'another object stands behind it',
    FOUR,
    {
      parts: [
        [FOUR, 0, 512],
        ['empty', 0, 56],
      ],
    },
    'DATA_CORRUPT',
  ),
  vector('the tag of an empty object is altered', 'empty', { flip: [40, 1] }, 'DATA_CORRUPT'),
  vector('an empty object gets a byte', 'empty', { append: '00' }, 'DATA_CORRUPT'),
  vector('it is read with another key', FOUR, undefined, ['DATA_CORRUPT', { with: 'another key' }]),
  vector('it is read as another object', FOUR, undefined, ['DATA_CORRUPT', { with: 'another context' }]),
];

const RESUM = { then: 'resum' } as const;
const KEYS_MEMBERS = ['format', 'generation', 'workspace', 'database', 'backupId', 'chainId', 'commitment', 'slots', 'checksum'];
const SLOT_MEMBERS = [
  ['type', 'agentId', 'sealPublicKey', 'enc', 'ciphertext'],
  ['type', 'recipients', 'data'],
  ['type', 'salt', 'memoryKib', 'passes', 'parallelism', 'nonce', 'ciphertext'],
];
const keysJson = (
  name: string,
  json: (string | number)[],
  value: unknown,
  outcome: string | readonly [code: string, opener: string] = 'KEYS_INVALID',
): Vector => {
  const [code, opener] = typeof outcome === 'string' ? [outcome, {}] : [outcome[0], { with: outcome[1] }];
  return vector(name, 'all', { json, value }, [code, { ...RESUM, ...opener }]);
};
const resumOf = (member: string): Partial<Vector> => (member === 'checksum' ? {} : RESUM);

const keysVectors: readonly Vector[] = [
  ...KEYS_MEMBERS.map((at) => vector(`has no ${at}`, 'all', { drop: [at] }, ['KEYS_INVALID', resumOf(at)])),
  ...KEYS_MEMBERS.map((at) => vector(`${at} is null`, 'all', { json: [at], value: null }, ['KEYS_INVALID', resumOf(at)])),
  ...SLOT_MEMBERS.flatMap((members, slot) =>
    members.map((at) => vector(`slot ${slot} has no ${at}`, 'all', { drop: ['slots', slot, at] }, ['KEYS_INVALID', RESUM])),
  ),
  keysJson('an unknown member', ['more'], 1),
  keysJson('an unknown member in a slot', ['slots', 0, 'more'], 1),
  keysJson('an unknown kind of slot', ['slots', 0, 'type'], 'rsa'),
  keysJson('a slot that is a text', ['slots', 0], 'hpke'),
  keysJson('no slot', ['slots'], []),
  keysJson('a newer format', ['format'], 'rahatback-keys/2', 'FORMAT_UNSUPPORTED'),
  keysJson('the format of something else', ['format'], 'other/1'),
  keysJson('generation 0', ['generation'], 0),
  keysJson('a generation that is no whole number', ['generation'], 1.5),
  vector('half of a surrogate pair', 'all', { json: ['workspace'], value: '\ud800' }, 'KEYS_INVALID'),
  keysJson('an empty id', ['backupId'], ''),
  keysJson('a name of 1,001 characters', ['database'], 'd'.repeat(1_001)),
  keysJson('a commitment of 31 bytes', ['commitment'], Buffer.alloc(31).toString('base64')),
  keysJson('base64 without its padding', ['slots', 0, 'enc'], other32.slice(0, -1)),
  keysJson('base64 of the other alphabet', ['slots', 0, 'enc'], Buffer.alloc(32, 0xfb).toString('base64url')),
  keysJson('no recipient', ['slots', 1, 'recipients'], []),
  vector('the checksum of another file', 'all', { json: ['checksum'], value: '0'.repeat(64) }, 'KEYS_INVALID'),
  vector('an altered member under the old checksum', 'all', { json: ['generation'], value: 2 }, 'KEYS_INVALID'),
  vector('a byte that is no UTF-8', 'all', { set: [20, 'ff'] }, 'KEYS_INVALID'),
  vector('text behind the file', 'all', { append: '7d' }, 'KEYS_INVALID'),
  keysJson('another encapsulated key', ['slots', 0, 'enc'], other32, ['KEYS_INVALID', 'agent']),
  keysJson('another sealed key', ['slots', 0, 'ciphertext'], Buffer.alloc(48, 1).toString('base64'), ['KEYS_INVALID', 'agent']),
  keysJson("another agent's public key", ['slots', 0, 'sealPublicKey'], other32, ['WRONG_KEY', 'agent']),
  ...['workspace', 'database', 'backupId', 'chainId'].map((at) =>
    keysJson(`the agent's slot under another ${at}`, [at], 'x', ['KEYS_INVALID', 'agent']),
  ),
  ...['workspace', 'database', 'backupId', 'chainId'].map((at) =>
    keysJson(`the passphrase slot under another ${at}`, [at], 'x', ['WRONG_KEY', 'kek']),
  ),
  ...['agent', 'recovery', 'kek'].map((way) =>
    keysJson(`another commitment, opened by ${way}`, ['commitment'], other32, ['WRONG_KEY', way]),
  ),
  keysJson('an age file that is none', ['slots', 1, 'data'], Buffer.from('age').toString('base64'), ['KEYS_INVALID', 'recovery']),
  keysJson('another recipient', ['slots', 1, 'recipients'], ['age1x'], ['WRONG_KEY', 'recovery']),
  ...(['salt', 'nonce', 'ciphertext'] as const).map((at) => {
    const size = { salt: 16, nonce: 12, ciphertext: 48 }[at];
    return keysJson(`another ${at} of the passphrase`, ['slots', 2, at], Buffer.alloc(size).toString('base64'), [
      'WRONG_KEY',
      'kek',
    ]);
  }),
  keysJson('one more KiB of memory', ['slots', 2, 'memoryKib'], 65_537, ['WRONG_KEY', 'kek']),
  ...(
    [
      ['memoryKib', 1_048_577],
      ['memoryKib', 65_535],
      ['passes', 11],
      ['parallelism', 17],
    ] as const
  ).map(([at, value]) => keysJson(`${at} of ${value}`, ['slots', 2, at], value, ['KDF_PARAMS_REFUSED', 'passphrase'])),
  vector("another agent's key", 'all', undefined, ['WRONG_KEY', { with: 'another agent' }]),
  vector('another passphrase', 'all', undefined, ['WRONG_KEY', { with: 'another kek' }]),
  vector('no slot for the passphrase', 'agent', undefined, ['WRONG_KEY', { with: 'kek' }]),
  vector('no slot for the recovery identity', 'agent', undefined, ['WRONG_KEY', { with: 'recovery' }]),
];

const manifest = JSON.parse(Buffer.from(fixtures.manifest['full'] ?? '', 'base64').toString()) as Record<string, unknown>;
const MANIFEST_MEMBERS = Object.keys(manifest).filter((name) => name !== 'signatures');
const RESIGN = { then: 'resign' } as const;
const manifestJson = (name: string, json: (string | number)[], value: unknown, more: Partial<Vector> = RESIGN): Vector =>
  vector(name, 'full', { json, value }, ['MANIFEST_INVALID', more]);
const anotherOf = (value: unknown): unknown =>
  typeof value === 'number' ? value + 1 : typeof value === 'string' ? `${value}x` : null;

const manifestVectors: readonly Vector[] = [
  ...MANIFEST_MEMBERS.map((at) => vector(`has no ${at}`, 'full', { drop: [at] }, ['MANIFEST_INVALID', RESIGN])),
  ...['writer', 'backupId', 'workspaceId', 'databaseId', 'fence', 'agentId', 'serverVersion', 'tool', 'dumpBytes'].map((at) =>
    manifestJson(`another ${at} under the old signature`, [at], anotherOf(manifest[at]), {}),
  ),
  vector('a newer format', 'full', { json: ['format'], value: 2 }, ['FORMAT_UNSUPPORTED', RESIGN]),
  manifestJson('format 0', ['format'], 0),
  manifestJson('a negative fence', ['fence'], -1),
  manifestJson('an unknown engine', ['engine'], 'oracle'),
  manifestJson('an unknown compression', ['compression'], 'lzma'),
  manifestJson('another suite', ['suite'], 'AES128_GCM_HKDF_1MB'),
  manifestJson('a commitment of 31 bytes', ['commitment'], Buffer.alloc(31).toString('base64')),
  manifestJson('a line end in a text', ['tool'], 'pg_dump\n'),
  manifestJson('half of a surrogate pair', ['tool'], '\udc00', {}),
  manifestJson('a text of 201 characters', ['writer'], 'w'.repeat(201)),
  manifestJson('an unknown member', ['tables'], []),
  manifestJson('an unknown member of a volume', ['volumes', 0, 'more'], 1),
  manifestJson('volumes that begin with the second', ['volumes', 0, 'name'], 'data-00002'),
  manifestJson('a stored size that does not fit', ['volumes', 0, 'storedBytes'], 5_000_121),
  manifestJson('a segment too many', ['volumes', 0, 'segments'], 6),
  manifestJson('a SHA-256 in capitals', ['index', 'sha256'], 'AB'.repeat(32)),
  manifestJson('an index with the name of a volume', ['index', 'name'], 'data-00003'),
  manifestJson('a full backup that points into another', ['chain', 'links'], ['b-0']),
  manifestJson('a time without a zone', ['startedAt'], '2026-11-20T10:00:00.000'),
  manifestJson('a day that is none', ['completedAt'], '2026-13-20T10:00:00.000Z'),
  manifestJson('no signature of the agent', ['signatures'], { server: Buffer.alloc(64).toString('base64') }, {}),
  manifestJson("another's signature", ['signatures', 'agent'], Buffer.alloc(64, 1).toString('base64'), {}),
  manifestJson('another counter-signature', ['signatures', 'server'], Buffer.alloc(64, 1).toString('base64'), {}),
  vector('no counter-signature', 'full', { drop: ['signatures', 'server'] }, 'MANIFEST_INVALID'),
  vector('is cut short', 'full', { parts: [['full', 0, -1]] }, 'MANIFEST_INVALID'),
  vector('a byte that is no UTF-8', 'full', { set: [10, 'c0'] }, 'MANIFEST_INVALID'),
  vector('the keys the other way round', 'full', undefined, ['MANIFEST_INVALID', { with: 'the keys the other way round' }]),
];

const line = (name: string, text: string, by: string, code = 'DATA_CORRUPT'): Vector =>
  vector(name, 'lines', { replace: [text, by] }, code);
const storedLength = Buffer.from(fixtures.index['one-block'] ?? '', 'base64').length;
const HEADER = '{"index":1,"backup":"b-1","links":["b-0"],"chunker":"fastcdc-256k"}';
const indexVectors: readonly Vector[] = [
  line('no header', `${HEADER}\n`, ''),
  line('a header without its backup', '"backup":"b-1",', ''),
  line('a header without its links', '"links":["b-0"],', ''),
  line('a link that is no text', '["b-0"]', '[0]'),
  line('a newer format', '"index":1', '"index":2', 'FORMAT_UNSUPPORTED'),
  line('format 0', '"index":1', '"index":0'),
  line('a format that is a text', '"index":1', '"index":"1"'),
  line('a backup beyond the links', '{"b":1,', '{"b":2,'),
  line('a negative backup', '{"b":0,', '{"b":-1,'),
  line('volume 0', '"v":1,', '"v":0,'),
  line('a volume that is no whole number', '"v":1,', '"v":1.5,'),
  line('a negative offset', '"o":1000,', '"o":-1,'),
  line('an offset above 2^53', '"o":1000,', '"o":9007199254740993,'),
  line('a negative frame length', '"n":500,', '"n":-500,'),
  line('a frame of gigabytes', '"p":900,', '"p":4294967296,'),
  line('a frame one byte above the limit', '"p":900,', `"p":${16 * 1024 * 1024 + 1},`),
  line('a frame shorter than its chunks', '"p":900,', '"p":899,'),
  line('a chunk of no bytes', ',300,0]', ',0,0]'),
  line('a chunk of gigabytes', ',300,0]', ',4294967296,0]'),
  line('a chunk behind its frame', ',300,600]', ',300,601]'),
  line('chunks that are no list', '"c":[', '"c":0,"d":['),
  line('a chunk more in the sum', '"chunks":9', '"chunks":10'),
  line('a byte less in the sum', '"bytes":2700', '"bytes":2699'),
  line('a sum that is a text', '"chunks":9', '"chunks":"9"'),
  line('a SHA-256 that is too short', `"${'0'.repeat(64)}"`, `"${'0'.repeat(63)}"`),
  line('an end that is null', '{"end":{', '{"end":null,"x":{'),
  line('no end', '{"end":', '{"enough":'),
  line('a line behind the end', '000"}}\n', '000"}}\n{"facts":{}}\n'),
  line('a line that is no JSON', '{"facts":', '{facts:'),
  line('a line that is null', '{"facts":', 'null\n{"facts":'),
  line('a line that is a text', '{"facts":', '"c"\n{"facts":'),
  vector('another magic number', 'one-block', { flip: [0, 1] }, 'DATA_CORRUPT'),
  vector('a byte behind its last frame', 'two-blocks', { append: '00' }, 'DATA_CORRUPT'),
  vector('another checksum of its last frame', 'one-block', { flip: [storedLength - 1, 1] }, 'DATA_CORRUPT'),
  vector('the last byte is missing', 'one-block', { parts: [['one-block', 0, -1]] }, 'DATA_CORRUPT'),
  vector(
    'the same block twice',
    'one-block',
    {
      parts: [
        ['one-block', 0, storedLength],
        ['one-block', 0, storedLength],
      ],
    },
    'DATA_CORRUPT',
  ),
  vector('nothing', 'one-block', { parts: [] }, 'DATA_CORRUPT'),
  vector('a frame of which four bytes came', 'one-block', { append: '28b52ffd' }, 'DATA_CORRUPT'),
  vector('a skippable frame of 4 GiB', 'one-block', { append: '502a4d18ffffffff' }, 'DATA_CORRUPT'),
  vector('a frame that claims 2^60 bytes', 'one-block', { append: 'fd2fb52fe000000000000000100100' }, 'DATA_CORRUPT'),
];

const frameBases = ['zstd text', 'zstd bytes', 'gzip text', 'gzip bytes'];
const lengthOf = (base: string): number => Buffer.from(fixtures.frame[base] ?? '', 'base64').length;
const frameVectors: readonly Vector[] = [
  ...frameBases.flatMap((base) => [
    vector(`${base}: another magic number`, base, { flip: [0, 255] }, 'DATA_CORRUPT'),
    vector(`${base}: another last byte`, base, { flip: [lengthOf(base) - 1, 1] }, 'DATA_CORRUPT'),
    vector(`${base}: without its last byte`, base, { parts: [[base, 0, lengthOf(base) - 1]] }, 'DATA_CORRUPT'),
    vector(`${base}: its first half`, base, { parts: [[base, 0, lengthOf(base) >> 1]] }, 'DATA_CORRUPT'),
    vector(`${base}: nothing`, base, { parts: [] }, 'DATA_CORRUPT'),
    vector(`${base}: a byte fewer than the index says`, base, undefined, ['DATA_CORRUPT', { with: '1' }]),
    vector(`${base}: a byte more than the index says`, base, undefined, ['DATA_CORRUPT', { with: '-1' }]),
  ]),
  vector('zstd text: claims a dictionary', 'zstd text', { flip: [4, 1] }, 'DATA_CORRUPT'),
  vector('zstd text: a reserved bit', 'zstd text', { flip: [4, 8] }, 'DATA_CORRUPT'),
  vector('zstd text: claims 4 GiB', 'zstd text', { set: [4, 'a4ffffffff'] }, 'DATA_CORRUPT'),
  vector('gzip text: another method', 'gzip text', { set: [2, '07'] }, 'DATA_CORRUPT'),
  vector('gzip text: a checksum of its header that is not there', 'gzip text', { flip: [3, 2] }, 'DATA_CORRUPT'),
  vector('gzip text: a size of 4 GiB', 'gzip text', { set: [lengthOf('gzip text') - 4, 'ffffffff'] }, 'DATA_CORRUPT'),
  vector('zstd empty: a byte too few', 'zstd empty', undefined, ['DATA_CORRUPT', { with: '1' }]),
];

const sealed = Buffer.from(fixtures.envelope['current'] ?? '', 'base64').toString();
const [, , nonce = '', ciphertext = '', tag = ''] = sealed.split('|');
const field = (name: string, text: string, by: string, code = 'DATA_CORRUPT'): Vector =>
  vector(name, 'current', { replace: [text, by] }, code);
const otherLetter = (text: string): string => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`;
const envelopeVectors: readonly Vector[] = [
  field('a newer version', '1|', '2|', 'FORMAT_UNSUPPORTED'),
  field('no version', '1|', '|', 'FORMAT_UNSUPPORTED'),
  field('the version with a blank', '1|', ' 1|', 'FORMAT_UNSUPPORTED'),
  field('a key that is not loaded', '|k2|', '|k3|', 'WRONG_KEY'),
  field('the name of the other key', '|k2|', '|k1|'),
  field('no key', '|k2|', '||'),
  field('another nonce', nonce, otherLetter(nonce)),
  field('a nonce that is too short', nonce, nonce.slice(0, -2)),
  field('no nonce', nonce, ''),
  field('another ciphertext', ciphertext, otherLetter(ciphertext)),
  field('no ciphertext', `|${ciphertext}|`, '||'),
  field('another tag', tag, otherLetter(tag)),
  field('a tag that is too short', tag, tag.slice(0, -2)),
  field('a tag that is too long', tag, `${tag}AA`),
  field('no tag', `|${tag}`, '|'),
  field('a part too few', `|${tag}`, ''),
  field('a part too many', tag, `${tag}|`),
  vector('nothing', 'current', { parts: [] }, 'FORMAT_UNSUPPORTED'),
  ...['another row', 'another column', 'another workspace'].map((place) =>
    vector(`moved to ${place}`, 'current', undefined, ['DATA_CORRUPT', { with: place }]),
  ),
  vector('the previous key is gone', 'previous', undefined, ['WRONG_KEY', { with: 'the current key alone' }]),
];

const VECTORS: Readonly<Record<VectorKind, readonly Vector[]>> = {
  ...{ stream: streamVectors, keys: keysVectors, manifest: manifestVectors },
  ...{ index: indexVectors, frame: frameVectors, envelope: envelopeVectors },
};

/** jest --testMatch '**\/vectors.make-spec.ts', behind fixtures.make-spec.ts. The codes are those of the format's documents. */
it.each(VECTOR_KINDS)('writes fixtures/vectors/%s.json', (kind) => {
  mkdirSync(dirname(vectorFile(kind)), { recursive: true });
  const lines = VECTORS[kind].map((each) => `  ${JSON.stringify(each)}`);
  writeFileSync(vectorFile(kind), `[\n${lines.join(',\n')}\n]\n`);
});
