import { appendFile, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { tempDir, type TempDir } from '@rahatback/testing';
import fc from 'fast-check';
import { AgentHome } from '../state/agent-home.js';
import { CommandJournal } from './command-journal.js';
import type { ReceivedRecord } from './journal-record.js';

const received = (id: string, fields: Partial<ReceivedRecord> = {}): ReceivedRecord => ({
  kind: 'received',
  id,
  type: 'job:execute',
  resource: 'backup:j1',
  fence: 1,
  sequence: 1,
  expiresAt: '2026-01-01T00:00:00.000Z',
  command: { body: '{}', signature: 's', keyId: 'k' },
  target: null,
  ...fields,
});

const failedResult = (id: string) => ({ event: 'backup:failed' as const, message: { commandId: id, fence: 1 } });

describe('CommandJournal', () => {
  let dir: TempDir;
  let home: AgentHome;
  beforeEach(async () => {
    dir = await tempDir('rahatback-journal-');
    home = new AgentHome(dir.path);
  });
  afterEach(() => dir.remove());

  const reopened = async (journal: CommandJournal): Promise<CommandJournal> => {
    await journal.close();
    return CommandJournal.open(home);
  };

  it('remembers states, children, results and fences over a restart', async () => {
    let journal = await CommandJournal.open(home);
    await journal.received(received('a', { fence: 7, sequence: 2 }));
    await journal.running('a');
    await journal.child('a', { pid: 12, startTicks: '99' });
    await journal.received(received('b', { fence: 3, sequence: 1, type: 'database:test', resource: 'database:d' }));
    await journal.ended('b', 'failed', failedResult('b'));
    journal = await reopened(journal);
    expect(journal.report()).toEqual([
      { commandId: 'b', type: 'database:test', state: 'failed', resource: 'database:d', fence: 3 },
      { commandId: 'a', type: 'job:execute', state: 'running', resource: 'backup:j1', fence: 7 },
    ]);
    expect(journal.get('a')?.processes).toEqual([{ pid: 12, startTicks: '99' }]);
    expect(journal.get('b')?.result).toEqual(failedResult('b'));
    expect(journal.get('b')?.command).toBeNull();
    expect(journal.fenceOf('backup:j1')).toEqual({ highest: 7, executed: 7 });
    expect(journal.fenceOf('database:d')).toEqual({ highest: 3, executed: -1 });
    await journal.close();
  });

  it('never leaves an end: later records of the same command change nothing', async () => {
    const journal = await CommandJournal.open(home);
    await journal.received(received('a'));
    await journal.ended('a', 'cancelled', failedResult('a'));
    await journal.running('a');
    await journal.ended('a', 'succeeded', null);
    expect(journal.get('a')).toMatchObject({ state: 'cancelled', result: failedResult('a') });
    await journal.close();
  });

  it('forgets old confirmed commands when it compacts, but never their fences', async () => {
    const now = Date.parse('2026-01-10T00:00:00Z');
    let journal = await CommandJournal.open(home, () => now);
    await journal.received(received('old', { fence: 5 }));
    await journal.ended('old', 'succeeded', failedResult('old'));
    await journal.confirmed('old');
    await journal.received(received('owed', { fence: 6 }));
    await journal.ended('owed', 'failed', failedResult('owed'));
    await journal.received(received('recent', { fence: 8, expiresAt: '2026-01-09T00:00:00Z' }));
    await journal.ended('recent', 'succeeded', null);
    await journal.confirmed('recent');
    await journal.compact();
    await journal.running('owed');
    journal = await reopened(journal);
    expect(journal.entries().map(({ id }) => id)).toEqual(['owed', 'recent']);
    expect(journal.open().map(({ id, result }) => [id, result])).toEqual([['owed', failedResult('owed')]]);
    expect(journal.fenceOf('backup:j1')).toEqual({ highest: 8, executed: 8 });
    await journal.close();
  });

  it('keeps a refused command from counting as executed', async () => {
    const journal = await CommandJournal.open(home);
    await journal.received(received('a', { fence: 9, command: null }));
    expect(journal.fenceOf('backup:j1')).toEqual({ highest: 9, executed: -1 });
    await journal.close();
  });

  it('is private, and drops a torn last line', async () => {
    let journal = await CommandJournal.open(home);
    await journal.received(received('a'));
    await journal.close();
    expect((await stat(home.journalFile)).mode & 0o777).toBe(0o600);
    const whole = (await stat(home.journalFile)).size;
    await appendFile(home.journalFile, '0badc0de 12 {"kind":"runn');
    journal = await CommandJournal.open(home);
    expect(journal.get('a')?.state).toBe('accepted');
    expect((await stat(home.journalFile)).size).toBe(whole);
    await journal.running('a');
    journal = await reopened(journal);
    expect(journal.get('a')?.state).toBe('running');
    await journal.close();
  });

  it('refuses to guess when a synced line is damaged', async () => {
    const journal = await CommandJournal.open(home);
    await journal.received(received('a'));
    await journal.received(received('b', { fence: 2 }));
    await journal.close();
    const bytes = await readFile(home.journalFile);
    bytes.writeUInt8(bytes.readUInt8(30) ^ 1, 30);
    await writeFile(home.journalFile, bytes);
    await expect(CommandJournal.open(home)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
  });

  it('syncs a burst of commands together and keeps their order', async () => {
    let journal = await CommandJournal.open(home);
    const ids = Array.from({ length: 500 }, (_, index) => `c${index}`);
    await Promise.all(ids.map((id, index) => journal.received(received(id, { fence: index, sequence: index }))));
    journal = await reopened(journal);
    expect(journal.open().map(({ id }) => id)).toEqual(ids);
    await journal.close();
  });

  it('replays a prefix of what happened after a cut at any byte, and nothing that was not acknowledged is required', async () => {
    const journal = await CommandJournal.open(home);
    const acknowledged: { id: string; bytes: number }[] = [];
    for (let index = 0; index < 20; index += 1) {
      await journal.received(received(`c${index}`, { fence: index, sequence: index }));
      acknowledged.push({ id: `c${index}`, bytes: (await stat(home.journalFile)).size });
    }
    await journal.close();
    const bytes = await readFile(home.journalFile);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length }), async (cut) => {
        await writeFile(home.journalFile, bytes);
        await truncate(home.journalFile, cut);
        const after = await CommandJournal.open(home);
        const ids = after.entries().map(({ id }) => id);
        expect(ids).toEqual(acknowledged.filter((entry) => entry.bytes <= cut).map(({ id }) => id));
        await after.close();
      }),
      { numRuns: 60 },
    );
  });
});
