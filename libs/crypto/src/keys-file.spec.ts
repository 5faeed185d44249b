import { randomBytes } from 'node:crypto';
import { DEFAULT_KDF_COST, derivePassphraseKek, newKdfParams, type PassphraseKek } from './argon2id-slot.js';
import { toBase64 } from './base64.js';
import { commitmentOf, commitsTo, generateDek } from './commitment.js';
import { CryptoError } from './crypto-error.js';
import { createKeysFile, parseKeysFile, serializeKeysFile, type KeysFile, type NewKeysFile } from './keys-file.js';
import {
  newestReadableKeys,
  openWithAgeIdentity,
  openWithAgentKey,
  openWithKek,
  openWithPassphrase,
  passphraseSlotOf,
} from './keys-open.js';
import { generateRecoveryIdentity, type RecoveryIdentity } from './recovery-identity.js';
import { generateSealKeyPair } from './signing.js';

const context = { workspace: 'w-1', database: 'd-1', backupId: 'b-1', chainId: 'c-1' };
const dek = generateDek();
const agent = { agentId: 'a-1', ...generateSealKeyPair() };
const second = { agentId: 'a-2', ...generateSealKeyPair() };
const PASSPHRASE = 'doğru at pil zımba';

let recovery: RecoveryIdentity;
let passphrase: PassphraseKek;
let file: KeysFile;

const slotAgent = ({ agentId, publicKey }: { agentId: string; publicKey: string }) => ({ agentId, sealPublicKey: publicKey });
const request = (change: Partial<NewKeysFile> = {}): NewKeysFile => ({
  dek,
  context,
  agents: [slotAgent(agent), slotAgent(second)],
  ageRecipients: [recovery.recipient],
  passphrase,
  ...change,
});

const ATTEMPTS = 3;

/** The quickest of a few: other tests on the same cores slow down one, not the code. */
const within2s = async (attempt: () => unknown, attempts = ATTEMPTS): Promise<CryptoError> => {
  const startedMs = performance.now();
  const failure = await Promise.resolve()
    .then(attempt)
    .then(
      () => new Error('it opened'),
      (error: unknown) => error,
    );
  const tookMs = performance.now() - startedMs;
  if (tookMs >= 2_000 && attempts > 1) return within2s(attempt, attempts - 1);
  expect(tookMs).toBeLessThan(2_000);
  if (failure instanceof CryptoError) return failure;
  throw failure;
};

beforeAll(async () => {
  recovery = await generateRecoveryIdentity();
  const params = newKdfParams();
  passphrase = { kek: await derivePassphraseKek(PASSPHRASE, params), ...params };
  file = await createKeysFile(request());
});

describe('every slot', () => {
  it('opens the same data key, also after a trip through storage', async () => {
    const stored = parseKeysFile(serializeKeysFile(file));
    expect(stored).toEqual(file);
    expect(await openWithAgentKey(stored, agent.privateKey)).toEqual(dek);
    expect(await openWithAgentKey(stored, second.privateKey)).toEqual(dek);
    expect(await openWithAgeIdentity(stored, recovery.identity)).toEqual(dek);
    expect(openWithKek(stored, passphrase.kek)).toEqual(dek);
    expect(await openWithPassphrase(stored, PASSPHRASE)).toEqual(dek);
  });

  it('holds no key in the clear', () => {
    const stored = serializeKeysFile(file).toString();
    for (const secret of [dek, Buffer.from(passphrase.kek)]) {
      for (const encoding of ['hex', 'base64', 'base64url'] as const) expect(stored).not.toContain(secret.toString(encoding));
    }
    expect(stored).not.toContain(recovery.identity);
  });

  it('is made in milliseconds: no KEK is derived in a run', async () => {
    const startedMs = performance.now();
    for (let i = 0; i < 20; i += 1) await createKeysFile(request());
    expect((performance.now() - startedMs) / 20).toBeLessThan(100);
  });
});

describe('a wrong key is WRONG_KEY in under 2 s', () => {
  it("another agent's key: the sentence names who can", async () => {
    const failure = await within2s(() => openWithAgentKey(file, generateSealKeyPair().privateKey));
    expect(failure).toMatchObject({ code: 'WRONG_KEY', details: { agents: ['a-1', 'a-2'], recovery: true, passphrase: true } });
    expect(failure.message).toContain('opens with agent a-1, a-2 or the recovery identity or the passphrase');
  });

  it('another recovery identity', async () => {
    const other = await generateRecoveryIdentity();
    const failure = await within2s(() => openWithAgeIdentity(file, other.identity));
    expect(failure).toMatchObject({ code: 'WRONG_KEY', details: { recipient: other.recipient } });
    expect(JSON.stringify([failure.message, failure.details])).not.toContain(other.identity);
  });

  it('another passphrase, at the default cost', async () => {
    expect(DEFAULT_KDF_COST).toEqual({ memoryKib: 262_144, passes: 3, parallelism: 4 });
    expect(await within2s(() => openWithPassphrase(file, 'dogru at pil zimba'))).toMatchObject({ code: 'WRONG_KEY' });
  });

  it('another KEK', async () => {
    expect(await within2s(() => openWithKek(file, randomBytes(32)))).toMatchObject({ code: 'WRONG_KEY' });
  });

  it('no slot of that kind', async () => {
    const agentsOnly = await createKeysFile(request({ ageRecipients: [], passphrase: undefined }));
    expect(passphraseSlotOf(agentsOnly)).toBeNull();
    expect(await within2s(() => openWithPassphrase(agentsOnly, PASSPHRASE))).toMatchObject({ code: 'WRONG_KEY' });
    expect(await within2s(() => openWithKek(agentsOnly, passphrase.kek))).toMatchObject({ code: 'WRONG_KEY' });
    expect(await within2s(() => openWithAgeIdentity(agentsOnly, recovery.identity))).toMatchObject({ code: 'WRONG_KEY' });
  });

  it.each(['hpke', 'age', 'argon2id'] as const)('the %s slot of another data key: the commitment tells', async (type) => {
    const other = await createKeysFile(request({ dek: generateDek() }));
    const mixed = await createKeysFile(request({ agents: [], ageRecipients: [], passphrase: undefined, keepSlots: other.slots }));
    const open = {
      hpke: () => openWithAgentKey(mixed, agent.privateKey),
      age: () => openWithAgeIdentity(mixed, recovery.identity),
      argon2id: () => openWithKek(mixed, passphrase.kek),
    };
    const failure = await within2s(open[type]);
    expect(failure).toMatchObject({ code: 'WRONG_KEY' });
    expect(failure.message).toContain('the key of another backup');
  });
});

describe('the commitment', () => {
  it('is that of the chain, not of the backup', () => {
    expect(file.commitment).toBe(commitmentOf(dek, context));
    expect(commitsTo(file.commitment, dek, context)).toBe(true);
    expect(commitsTo(file.commitment, generateDek(), context)).toBe(false);
    for (const name of ['workspace', 'database', 'chainId']) {
      expect(commitsTo(file.commitment, dek, { ...context, [name]: 'other' })).toBe(false);
    }
    expect(commitsTo('', dek, context)).toBe(false);
  });

  it('is HMAC-SHA256(HKDF-SHA256(DEK, "", "rahatback/1 commit", 32), JCS(context)): a known answer', () => {
    const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
    expect(commitmentOf(key, { workspace: 'w', database: 'd', chainId: 'c' })).toBe(
      '+56z1HqyNdr1D/d3ZxDL4xAJZ20WF13G6JAWPBJpWxs=',
    );
  });
});

describe('slots belong to one backup', () => {
  it('hpke and passphrase slots do not open in the file of another', async () => {
    const moved = await createKeysFile({
      dek,
      context: { ...context, backupId: 'b-2' },
      agents: [],
      ageRecipients: [],
      keepSlots: file.slots,
    });
    await expect(openWithAgentKey(moved, agent.privateKey)).rejects.toMatchObject({ code: 'KEYS_INVALID' });
    expect(() => openWithKek(moved, passphrase.kek)).toThrow(expect.objectContaining({ code: 'WRONG_KEY' }));
  });
});

describe('rotation', () => {
  it('adds an agent with the recovery identity alone, and keeps the passphrase it does not know', async () => {
    const third = { agentId: 'a-3', ...generateSealKeyPair() };
    const opened = await openWithAgeIdentity(file, recovery.identity);
    const next = await createKeysFile({
      dek: opened,
      context,
      generation: 2,
      agents: [slotAgent(third)],
      ageRecipients: [],
      keepSlots: file.slots,
    });
    expect(next.generation).toBe(2);
    expect(await openWithAgentKey(next, third.privateKey)).toEqual(dek);
    expect(await openWithAgentKey(next, agent.privateKey)).toEqual(dek);
    expect(await openWithPassphrase(next, PASSPHRASE)).toEqual(dek);
  });

  it('falls back to the generation before when the newest was cut off or damaged', async () => {
    const first = serializeKeysFile(file);
    const next = serializeKeysFile(await createKeysFile(request({ generation: 2 })));
    const both = (bytes: Buffer) => [
      { generation: 1, bytes: first },
      { generation: 2, bytes },
    ];
    expect(newestReadableKeys(both(next))).toMatchObject({ keys: { generation: 2 }, skipped: [] });
    for (let length = 0; length < next.length - 1; length += 1) {
      const { keys, skipped } = newestReadableKeys(both(next.subarray(0, length)));
      expect([keys.generation, skipped.map(({ generation, error }) => `${generation} ${error.code}`)]).toEqual([
        1,
        ['2 KEYS_INVALID'],
      ]);
    }
    expect(newestReadableKeys(both(first)).keys.generation).toBe(1);
    expect(() => newestReadableKeys([{ generation: 2, bytes: next.subarray(1) }])).toThrow(
      expect.objectContaining({ code: 'KEYS_INVALID' }),
    );
    expect(() => newestReadableKeys([])).toThrow(expect.objectContaining({ code: 'KEYS_INVALID' }));
  });
});

describe('parseKeysFile', () => {
  it('rejects every single-bit flip of a whole file', () => {
    const bytes = serializeKeysFile(file);
    let accepted = 0;
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      try {
        // A flip may turn one space into another that JSON skips as well: then nothing was lost.
        expect(parseKeysFile(damaged)).toEqual(file);
        accepted += 1;
      } catch (error) {
        if (!(error instanceof CryptoError)) throw error;
        expect(['KEYS_INVALID', 'FORMAT_UNSUPPORTED']).toContain(error.code);
      }
    }
    expect(accepted).toBeLessThan(bytes.length / 4);
  });

  const edited = (edit: (value: Record<string, unknown>) => void): Buffer => {
    const value = JSON.parse(serializeKeysFile(file).toString()) as Record<string, unknown>;
    edit(value);
    return Buffer.from(JSON.stringify(value));
  };
  const slotEdited = (index: number, change: object) => () =>
    edited((value) => Object.assign((value['slots'] as object[])[index] ?? {}, change));

  it.each<[string, () => Buffer]>([
    ['nothing', () => Buffer.alloc(0)],
    ['another file', () => Buffer.from('{"format":"something"}')],
    ['a list', () => Buffer.from('[]')],
    ['bytes that are no UTF-8', () => Buffer.from([0x22, 0xff, 0x22])],
    ['a file of 5 MiB', () => Buffer.alloc(5 * 1024 * 1024, ' ')],
    ['an unknown member', () => edited((value) => (value['more'] = 1))],
    ['a missing member', () => edited((value) => delete value['chainId'])],
    ['a member of the wrong kind', () => edited((value) => (value['generation'] = '1'))],
    ['no slots', () => edited((value) => (value['slots'] = []))],
    ['an unknown kind of slot', slotEdited(0, { type: 'kms' })],
    ['a slot kind that is a property of every object', slotEdited(0, { type: 'constructor' })],
    ['an unknown member in a slot', slotEdited(0, { more: 1 })],
    ['two slots for one agent', slotEdited(1, { agentId: 'a-1' })],
    ['base64 with a blank', slotEdited(0, { enc: ` ${toBase64(randomBytes(32))}` })],
    ['half of a surrogate pair', () => edited((value) => (value['workspace'] = '\ud800'))],
    ['a shorter ciphertext', slotEdited(0, { ciphertext: toBase64(randomBytes(47)) })],
    ['a changed value under the old checksum', slotEdited(0, { agentId: 'a-9' })],
  ])('refuses %s as KEYS_INVALID', (_, bytes) => {
    expect(() => parseKeysFile(bytes())).toThrow(expect.objectContaining({ code: 'KEYS_INVALID' }));
  });

  it('refuses a newer format as FORMAT_UNSUPPORTED', () => {
    const newer = edited((value) => (value['format'] = 'rahatback-keys/2'));
    expect(() => parseKeysFile(newer)).toThrow(expect.objectContaining({ code: 'FORMAT_UNSUPPORTED' }));
  });
});

describe('createKeysFile', () => {
  it.each<[string, Partial<NewKeysFile>, string]>([
    ['no slot', { agents: [], ageRecipients: [], passphrase: undefined }, 'KEYS_INVALID'],
    ['one agent twice', { agents: [slotAgent(agent), slotAgent(agent)] }, 'KEYS_INVALID'],
    ['a bad agent key', { agents: [{ agentId: 'a', sealPublicKey: 'AAAA' }] }, 'KEYS_INVALID'],
    ['a bad recipient', { ageRecipients: ['age1qqqq'] }, 'RECOVERY_KEY_INVALID'],
  ])('refuses %s', async (_, change, code) => {
    await expect(createKeysFile(request(change))).rejects.toMatchObject({ code });
  });

  it('refuses a data key of another size', async () => {
    await expect(createKeysFile(request({ dek: randomBytes(16) }))).rejects.toThrow(RangeError);
  });
});
