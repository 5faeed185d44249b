import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { assertKeyring, keyIdOf, needsReseal, openField, sealField, type FieldRef, type Keyring } from './envelope.js';

const older = { kid: 'k1', key: randomBytes(32) };
const newer = { kid: 'k2', key: randomBytes(32) };
const ref: FieldRef = { table: 'storages', column: 'secret', rowId: 'row-1', workspaceId: 'ws-1' };
const ring: Keyring = { current: newer, previous: older };

it('round-trips any text (fast-check), as 1|kid|nonce|ciphertext|tag in base64url', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => openField(ring, ref, sealField(ring, ref, text)).toString() === text),
  );
  expect(sealField(ring, ref, 'secret')).toMatch(/^1\|k2\|[\w-]{16}\|[\w-]{8}\|[\w-]{22}$/);
  expect(sealField(ring, ref, 'secret')).not.toBe(sealField(ring, ref, 'secret'));
});

it('opens what either live key sealed, and says which rows a sweep has to seal again', () => {
  const sealedBefore = sealField({ current: older }, ref, 'secret');
  expect(openField(ring, ref, sealedBefore).toString()).toBe('secret');
  expect([keyIdOf(sealedBefore), needsReseal(ring, sealedBefore)]).toEqual(['k1', true]);
  expect(needsReseal(ring, sealField(ring, ref, 'secret'))).toBe(false);
});

it('names the missing key when a retired one is asked for', () => {
  const sealed = sealField({ current: older }, ref, 'secret');
  expect(() => openField({ current: newer }, ref, sealed)).toThrow(
    expect.objectContaining({ code: 'WRONG_KEY', details: { kid: 'k1', table: 'storages', column: 'secret', rowId: 'row-1' } }),
  );
});

it.each(['table', 'column', 'rowId', 'workspaceId'] as const)('does not open under another %s', (name) => {
  const sealed = sealField(ring, ref, 'secret');
  expect(() => openField(ring, { ...ref, [name]: 'other' }, sealed)).toThrow(expect.objectContaining({ code: 'DATA_CORRUPT' }));
});

it('does not let one place be spelt as another', () => {
  expect(() => sealField(ring, { ...ref, table: 'storages\0secret', column: '' }, 'secret')).toThrow(RangeError);
});

it('rejects every single-bit flip of nonce, ciphertext and tag', () => {
  const [version, kid, ...parts] = sealField(ring, ref, 'secret').split('|');
  let flips = 0;
  parts.forEach((part, position) => {
    const bytes = Buffer.from(part, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const text = [version, kid, ...parts.with(position, damaged.toString('base64url'))].join('|');
      expect(() => openField(ring, ref, text)).toThrow(expect.objectContaining({ code: 'DATA_CORRUPT' }));
      flips += 1;
    }
  });
  expect(flips).toBe((12 + 6 + 16) * 8);
});

it.each(['', '1', '1|k2|AA|AA|AA', '1||AAAAAAAAAAAAAAAA|AA|AAAAAAAAAAAAAAAAAAAAAA', `${sealField(ring, ref, 'x')}|AA`])(
  'refuses %p as malformed or unknown',
  (text) => {
    expect(() => openField(ring, ref, text)).toThrow(expect.objectContaining({ name: 'CryptoError' }));
  },
);

it('tells a newer version apart', () => {
  expect(() => keyIdOf(sealField(ring, ref, 'secret').replace('1|', '2|'))).toThrow(
    expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }),
  );
});

it('refuses a keyring that could not work', () => {
  expect(() => assertKeyring(ring)).not.toThrow();
  expect(() => assertKeyring({ current: { kid: 'k1', key: randomBytes(16) } })).toThrow(RangeError);
  expect(() => assertKeyring({ current: { kid: 'a|b', key: randomBytes(32) } })).toThrow(RangeError);
  expect(() => assertKeyring({ current: newer, previous: { kid: 'k2', key: randomBytes(32) } })).toThrow(RangeError);
});
