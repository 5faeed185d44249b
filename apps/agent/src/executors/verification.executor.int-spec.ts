import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandEnvelope, CommandPayloads, VerificationLevel } from '@rahatback/contracts';
import { listProcesses, waitFor } from '@rahatback/testing';
import { BackupWorld } from '../testing/backup-world.js';
import { envelope, PLAIN_READ } from '../testing/command-factory.js';

jest.setTimeout(120_000);

interface Check {
  readonly name: string;
  readonly result: string;
  readonly message: string;
}

/** The real agent process verifies real backups of a real database; only the server is scripted. */
describe('the verification executor', () => {
  let world: BackupWorld;
  let backup: CommandPayloads['job:execute']['location'];
  let fence = 100;
  /** How the folders of these verifications begin: other tests run at the same time. */
  const own: string[] = [];
  const isOwn = (text: string): boolean => own.some((prefix) => text.includes(prefix));
  beforeAll(async () => {
    world = await BackupWorld.start();
    await world.run();
    const command = await world.backupCommand(await world.shop());
    await world.server.send(command);
    await world.result(command);
    backup = command.payload.location;
    await world.kill();
  });
  afterAll(() => world.stop());
  afterEach(() => world.kill());

  const verification = (level: VerificationLevel): CommandEnvelope<'verification:execute'> => {
    fence += 1;
    const verificationId = randomUUID();
    own.push(`rahatback-verify-${verificationId.replaceAll('-', '').slice(0, 16)}`);
    return envelope(world.server.agent, 'verification:execute', {
      payload: { ...PLAIN_READ, backup, links: [], verificationId, level, databaseType: 'postgresql', timeLimitMs: 600_000 },
      resource: `verification:${backup.backupId}`,
      fence,
    });
  };
  const checksIn = (message: Readonly<Record<string, unknown>>): readonly Check[] => message.checks as readonly Check[];
  const leftFolders = async (): Promise<string[]> =>
    (await Promise.all([tmpdir(), '/var/tmp'].map((folder) => readdir(folder)))).flat().filter(isOwn);
  const leftProcesses = (): string[] =>
    listProcesses()
      .map(({ argv }) => argv.join(' '))
      .filter(isOwn);

  it('reports each check and the measured restore', async () => {
    await world.run();
    const command = verification('FULL');
    await world.server.send(command);
    const { event, message } = await world.result(command);
    expect(checksIn(message).filter(({ result }) => result !== 'passed')).toEqual([]);
    expect(event).toBe('verification:completed');
    expect(message).toMatchObject({
      verificationId: command.payload.verificationId,
      status: 'PASSED',
      reason: null,
      tablesTotal: 2,
      tablesEqual: 2,
      restoreMs: expect.any(Number),
      fence: command.fence,
    });
    process.stdout.write(`verification FULL: 2 tables equal, restored in ${String(message.restoreMs)} ms\n`);
    const sent = world.server.received
      .filter(({ message: of }) => of.commandId === command.commandId)
      .map((frame) => frame.event);
    expect(sent).toEqual(expect.arrayContaining(['verification:started', 'verification:progress']));
    expect([await leftFolders(), leftProcesses()]).toEqual([[], []]);
    const journal = await readFile(join(world.home, 'journal.log'), 'utf8');
    expect(journal + world.agent.output).not.toMatch(/PGPASSWORD/);
  });

  it('reports a bad backup as completed, and names what is wrong', async () => {
    await world.run();
    const objects = world.server.storage.objects;
    const key = `${backup.backupId}/${backup.fence}/data-00001`;
    const whole = objects.get(key);
    if (!whole) throw new Error('no such object');
    const spoilt = Buffer.from(whole);
    spoilt[4_000] = (spoilt[4_000] as number) ^ 1;
    objects.set(key, spoilt);
    const bad = verification('DATABASE');
    await world.server.send(bad);
    const found = await world.result(bad);
    objects.delete(key);
    const missing = verification('BASIC');
    await world.server.send(missing);
    const gone = await world.result(missing);
    objects.set(key, whole);
    expect(found).toMatchObject({
      event: 'verification:completed',
      message: { status: 'FAILED', reason: expect.stringContaining('data-00001') },
    });
    expect(checksIn(found.message).find(({ name }) => name === 'segments')).toMatchObject({
      result: 'failed',
      message: expect.stringContaining('Segment 0'),
    });
    expect(gone.message).toMatchObject({ status: 'FAILED', reason: expect.stringContaining('data-00001') });
  });

  it('cancelled in the middle: reported as such, nothing left', async () => {
    await world.run();
    const command = verification('FULL');
    await world.server.send(command);
    await waitFor(() => leftProcesses().length > 0, { describe: 'the throw-away server', timeoutMs: 30_000 });
    const cancel = envelope(world.server.agent, 'verification:cancel', {
      payload: { targetCommandId: command.commandId },
      resource: command.resource,
      fence: command.fence,
    });
    await world.server.send(cancel);
    expect(await world.result(command)).toMatchObject({
      event: 'verification:failed',
      message: { error: { code: 'CANCELLED' } },
    });
    expect([await leftFolders(), leftProcesses()]).toEqual([[], []]);
  });

  it.each(['verify.server.started', 'verify.restored'])(
    'killed at %s: the server dies with it, and the next start removes its folder and reports it as failed',
    async (point) => {
      const agent = await world.run({ FAULT: `${point}:1` });
      const command = verification('FULL');
      await world.server.send(command).catch(() => undefined);
      expect(await agent.ended).toMatchObject({ signal: 'SIGKILL' });
      await waitFor(() => leftProcesses().length === 0, { describe: 'the throw-away server to end', timeoutMs: 10_000 });
      expect(await leftFolders()).toHaveLength(1);
      await world.run();
      expect(await world.result(command)).toMatchObject({
        event: 'verification:failed',
        message: { error: { code: 'AGENT_RESTARTED' } },
      });
      expect([await leftFolders(), leftProcesses()]).toEqual([[], []]);
    },
  );
});
