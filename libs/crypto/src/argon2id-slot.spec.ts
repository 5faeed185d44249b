import { randomBytes } from 'node:crypto';
import { assertKdfCost, derivePassphraseKek, newKdfParams, unwrapArgon2idSlot, wrapArgon2idSlot } from './argon2id-slot.js';
import { toBase64 } from './base64.js';
import { commitmentOf } from './commitment.js';
import type { KeysFile } from './keys-file.js';
import { openWithPassphrase } from './keys-open.js';

const context = { workspace: 'w-1', database: 'd-1', backupId: 'b-1', chainId: 'c-1' };
const lightest = { memoryKib: 65_536, passes: 1, parallelism: 1 };
const dek = randomBytes(32);
const kek = randomBytes(32);

it("gives the known answer of the Argon2 reference implementation's test (argon2id v=19 m=65536 t=2 p=1)", async () => {
  const params = { salt: toBase64(Buffer.from('somesalt')), memoryKib: 65_536, passes: 2, parallelism: 1 };
  expect((await derivePassphraseKek('password', params)).toString('hex')).toBe(
    '09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7',
  );
});

it('takes a letter typed as one character or as two for the same', async () => {
  const params = { ...newKdfParams(lightest) };
  expect(await derivePassphraseKek('şifre'.normalize('NFD'), params)).toEqual(
    await derivePassphraseKek('şifre'.normalize('NFC'), params),
  );
});

const refused = [
  ['memoryKib', 65_535],
  ['memoryKib', 1_048_577],
  ['memoryKib', 2 ** 31],
  ['memoryKib', Number.NaN],
  ['passes', 0],
  ['passes', 11],
  ['parallelism', 0],
  ['parallelism', 17],
  ['parallelism', 1.5],
] as const;

it.each(refused)('refuses %s=%d when writing and when reading, before it takes memory or time', async (name, value) => {
  const cost = { ...lightest, [name]: value };
  const refusal = { code: 'KDF_PARAMS_REFUSED', details: { name, value } };
  expect(() => assertKdfCost(cost)).toThrow(expect.objectContaining({ code: 'KDF_PARAMS_REFUSED' }));
  expect(() => wrapArgon2idSlot(dek, { kek, ...newKdfParams(), ...cost }, context)).toThrow(
    expect.objectContaining({ code: refusal.code }),
  );
  const slot = { ...wrapArgon2idSlot(dek, { kek, ...newKdfParams() }, context), ...cost };
  const file: KeysFile = {
    format: 'rahatback-keys/1',
    generation: 1,
    ...context,
    commitment: commitmentOf(dek, context),
    slots: [slot],
    checksum: '0'.repeat(64),
  };
  const rssBytes = process.memoryUsage.rss();
  const startedMs = performance.now();
  await expect(openWithPassphrase(file, 'a passphrase')).rejects.toMatchObject(refusal);
  expect(performance.now() - startedMs).toBeLessThan(50);
  expect(process.memoryUsage.rss() - rssBytes).toBeLessThan(32 * 1024 * 1024);
});

it('reads at the limits', () => {
  expect(() => assertKdfCost({ memoryKib: 1_048_576, passes: 10, parallelism: 16 })).not.toThrow();
  expect(() => assertKdfCost(lightest)).not.toThrow();
});

it('binds the slot to its parameters and to its backup', () => {
  const slot = wrapArgon2idSlot(dek, { kek, ...newKdfParams() }, context);
  expect(unwrapArgon2idSlot(slot, kek, context)).toEqual(dek);
  const other = { ...slot, salt: toBase64(randomBytes(16)) };
  for (const attempt of [
    () => unwrapArgon2idSlot(other, kek, context),
    () => unwrapArgon2idSlot({ ...slot, passes: 4 }, kek, context),
    () => unwrapArgon2idSlot(slot, kek, { ...context, backupId: 'b-2' }),
    () => unwrapArgon2idSlot(slot, randomBytes(32), context),
  ]) {
    expect(attempt).toThrow(expect.objectContaining({ code: 'WRONG_KEY' }));
  }
});

it('writes a salt of 16 bytes only', () => {
  const params = { kek, ...newKdfParams(), salt: toBase64(Buffer.from('somesalt')) };
  expect(() => wrapArgon2idSlot(dek, params, context)).toThrow(RangeError);
});
