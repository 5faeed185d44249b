import { randomBytes } from 'node:crypto';
import { fromTinkKeyset, toTinkKeyset } from './keyset.js';

interface Keyset {
  primaryKeyId: number;
  key: {
    keyId: number;
    status: string;
    outputPrefixType: string;
    keyData: { typeUrl: string; value: string; keyMaterialType: string };
  }[];
}

const dek = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
const keysetOf = (key: Buffer): Keyset => JSON.parse(toTinkKeyset(key)) as Keyset;
const changed = (change: (keyset: Keyset, primary: Keyset['key'][number]) => void): string => {
  const keyset = keysetOf(dek);
  const [primary] = keyset.key;
  if (primary) change(keyset, primary);
  return JSON.stringify(keyset);
};

const failureOf = (attempt: () => unknown): unknown => {
  try {
    return attempt();
  } catch (error) {
    return error;
  }
};

/** The same key for segments of 4 KiB: 12 07 (08 80 20, 10 20, 18 03) 1a 20 key. */
const otherSegments = Buffer.concat([Buffer.from('1207088020102018031a20', 'hex'), dek]).toString('base64');

/** Reads protobuf varints and byte fields, enough to read a key without the constant the writer uses. */
const protobufFields = (bytes: Buffer): Map<number, number | Buffer> => {
  const fields = new Map<number, number | Buffer>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(at);
      at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const value = varint();
    if ((tag & 7) === 0) fields.set(tag >> 3, value);
    else {
      fields.set(tag >> 3, bytes.subarray(at, at + value));
      at += value;
    }
  }
  return fields;
};

it('is a Tink JSON keyset of an AesGcmHkdfStreamingKey', () => {
  const keyset = keysetOf(dek);
  const [primary] = keyset.key;
  expect(keyset).toMatchObject({
    primaryKeyId: primary?.keyId,
    key: [
      {
        status: 'ENABLED',
        outputPrefixType: 'RAW',
        keyData: { typeUrl: 'type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey', keyMaterialType: 'SYMMETRIC' },
      },
    ],
  });
  const key = protobufFields(Buffer.from(primary?.keyData.value ?? '', 'base64'));
  expect(key.get(3)).toEqual(dek);
  expect([...protobufFields(key.get(2) as Buffer)]).toEqual([
    [1, 1_048_576],
    [2, 32],
    [3, 3],
  ]);
});

it('comes back, also with other keys and another id in the set', () => {
  const other = randomBytes(32);
  expect(fromTinkKeyset(toTinkKeyset(other))).toEqual(other);
  const rotated = changed((keyset, primary) => {
    primary.keyId = 77;
    keyset.primaryKeyId = 77;
    keyset.key.unshift(...keysetOf(other).key);
  });
  expect(fromTinkKeyset(rotated)).toEqual(dek);
});

it.each([
  ['cut short', toTinkKeyset(dek).slice(0, -9)],
  ['no object', 'null'],
  ['no keys', '{"primaryKeyId":1}'],
  ['a null key', '{"primaryKeyId":1,"key":[null]}'],
  ['no primary key', changed((keyset) => (keyset.primaryKeyId = 5))],
  ['a value that is no base64', changed((_, primary) => (primary.keyData.value += '!'))],
])('refuses %s as KEYS_INVALID, without quoting it', (_, json) => {
  const failure = failureOf(() => fromTinkKeyset(json));
  expect(failure).toMatchObject({ code: 'KEYS_INVALID', details: {} });
  expect(failure).not.toHaveProperty('cause');
});

it.each([
  ['type', changed((_, primary) => (primary.keyData.typeUrl = 'type.googleapis.com/google.crypto.tink.AesGcmKey'))],
  ['prefix', changed((_, primary) => (primary.outputPrefixType = 'TINK'))],
  ['status', changed((_, primary) => (primary.status = 'DESTROYED'))],
  ['segment size', changed((_, primary) => (primary.keyData.value = otherSegments))],
])('refuses another %s as FORMAT_UNSUPPORTED', (_, json) => {
  expect(() => fromTinkKeyset(json)).toThrow(expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }));
});

it('takes a data key of 32 bytes only', () => {
  expect(() => toTinkKeyset(randomBytes(16))).toThrow(RangeError);
});
