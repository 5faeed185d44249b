import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrapAgeSlot, wrapAgeSlot } from './age-slot.js';
import { generateDek } from './commitment.js';
import { createKeysFile, serializeKeysFile } from './keys-file.js';
import { fromTinkKeyset, toTinkKeyset } from './keyset.js';
import { generateRecoveryIdentity, recipientOf } from './recovery-identity.js';

/** The real `age` and `age-keygen`, as anybody would use them. */
describe('the age program', () => {
  const dek = generateDek();
  let folder: string;
  const inFolder = (name: string): string => join(folder, name);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'age-slot-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('opens the recovery slot of a keys file: base64 -d, age -d, a Tink keyset', async () => {
    const { identity, recipient } = await generateRecoveryIdentity();
    const spare = await generateRecoveryIdentity();
    const context = { workspace: 'w', database: 'd', backupId: 'b', chainId: 'c' };
    const keys = await createKeysFile({ dek, context, agents: [], ageRecipients: [spare.recipient, recipient] });
    writeFileSync(inFolder('keys-1.json'), serializeKeysFile(keys));
    writeFileSync(inFolder('identity.txt'), `${identity}\n`, { mode: 0o600 });
    const stored = JSON.parse(readFileSync(inFolder('keys-1.json'), 'utf8')) as { slots: { type: string; data: string }[] };
    const slot = stored.slots.find(({ type }) => type === 'age');
    writeFileSync(inFolder('slot.age'), Buffer.from(slot?.data ?? '', 'base64'));
    const keyset = execFileSync('age', ['-d', '-i', inFolder('identity.txt'), inFolder('slot.age')], { encoding: 'utf8' });
    expect(keyset).toBe(toTinkKeyset(dek));
    expect(fromTinkKeyset(keyset)).toEqual(dek);
  });

  it('refuses another identity', async () => {
    const [owner, stranger] = await Promise.all([generateRecoveryIdentity(), generateRecoveryIdentity()]);
    const slot = await wrapAgeSlot(dek, [owner.recipient]);
    writeFileSync(inFolder('stranger.txt'), stranger.identity, { mode: 0o600 });
    writeFileSync(inFolder('theirs.age'), Buffer.from(slot.data, 'base64'));
    const decrypt = () => execFileSync('age', ['-d', '-i', inFolder('stranger.txt'), inFolder('theirs.age')], { stdio: 'pipe' });
    expect(decrypt).toThrow('no identity matched');
  });

  it('makes identities and slots that we open', async () => {
    const made = execFileSync('age-keygen', { encoding: 'utf8', stdio: 'pipe' });
    const identity = /^AGE-SECRET-KEY-1.*$/m.exec(made)?.[0] ?? '';
    const recipient = /^# public key: (age1.*)$/m.exec(made)?.[1] ?? '';
    expect(await recipientOf(identity)).toBe(recipient);
    const data = execFileSync('age', ['-r', recipient], { input: toTinkKeyset(dek) });
    expect(await unwrapAgeSlot({ type: 'age', recipients: [recipient], data: data.toString('base64') }, identity)).toEqual(dek);
  });
});
