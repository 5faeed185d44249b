import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@rahatback/contracts';
import { parseRecoveryKit, publicKeyOf } from '@rahatback/crypto';
import { freePort, tempDir, waitFor, type TempDir } from '@rahatback/testing';
import { AGENT_CRASH_POINTS } from '../crash-points.js';
import { AGENT_VERSION } from '../version.js';
import { AgentProcess, runAgent } from '../testing/agent-process.js';
import { CONNECTION, envelope, RECIPIENT, signed } from '../testing/command-factory.js';
import { ScriptedServer } from '../testing/scripted-server.js';

const OTHER_RECIPIENT = 'age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg';

describe('the command line', () => {
  let dir: TempDir;
  let home: string;
  let server: ScriptedServer;
  const started: AgentProcess[] = [];

  beforeEach(async () => {
    dir = await tempDir('rahatback-cli-');
    home = join(dir.path, 'home');
    server = await ScriptedServer.start();
  });
  afterEach(async () => {
    for (const child of started.splice(0)) {
      child.signal('SIGKILL');
      await child.ended;
    }
    await server.close();
    await dir.remove();
  });

  const run = (env: Readonly<Record<string, string>> = {}): AgentProcess => {
    const child = new AgentProcess(home, ['run'], env);
    started.push(child);
    return child;
  };
  const enrol = async (): Promise<void> => {
    server.enrolCodes.add('CODE-1');
    const { code, stderr } = await runAgent(home, ['enroll', 'CODE-1', '--server', server.url, '--name', 'box']);
    expect([code, stderr]).toEqual([0, '']);
  };
  const status = async (): Promise<{ readonly commands: readonly unknown[] }> =>
    JSON.parse((await runAgent(home, ['status', '--json'])).stdout) as { commands: unknown[] };
  const online = (): Promise<unknown> =>
    waitFor(async () => (await runAgent(home, ['status'])).code === 0, { describe: 'the agent to be online', timeoutMs: 20_000 });

  it('shows its commands and exit codes, and its version', async () => {
    const help = await runAgent(home, ['--help']);
    expect(help.code).toBe(0);
    for (const command of ['enroll', 'run', 'status', 'recovery-key', 'policy', 'decrypt', 'restore', 'Exit codes']) {
      expect(help.stdout).toContain(command);
    }
    expect((await runAgent(home, ['--version'])).stdout.trim()).toBe(AGENT_VERSION);
    const manifest = JSON.parse(await readFile(join(__dirname, '../../package.json'), 'utf8')) as { version: string };
    expect(manifest.version).toBe(AGENT_VERSION);
  });

  it.each([
    [['enroll']],
    [['no-such-command']],
    [['status', '--bogus']],
    [['restore', '--database', 'x']],
    [['policy', 'allow-everything']],
  ])('answers a wrong line %j with 2 and help', async (args) => {
    const { code, stderr } = await runAgent(home, args);
    expect(code).toBe(2);
    expect(stderr).toContain('error');
  });

  it('names wrong variables without their values, with 78', async () => {
    const { code, stderr } = await runAgent(home, ['status'], {
      RAHATBACK_LOG_LEVEL: 'loud-secret',
      RAHATBACK_AGENT_HOME: 'relative',
    });
    expect(code).toBe(78);
    expect(stderr).toContain('RAHATBACK_LOG_LEVEL');
    expect(stderr).toContain('RAHATBACK_AGENT_HOME');
    expect(stderr).not.toContain('loud-secret');
  });

  describe('enroll', () => {
    it('makes private keys, shows the six words that the server sees, pins keys and writes the default policy', async () => {
      server.enrolCodes.add('CODE-1');
      server.recoveryRecipient = RECIPIENT;
      const { code, stdout } = await runAgent(home, ['enroll', 'CODE-1', '--server', server.url, '--name', 'box']);
      expect(code).toBe(0);
      expect(stdout).toContain(server.agent.identity.fingerprint);
      expect(stdout).toContain(RECIPIENT);
      const keys = JSON.parse(await readFile(join(home, 'keys.json'), 'utf8')) as { sign: { privateKey: string } };
      expect(publicKeyOf('ed25519', keys.sign.privateKey)).toBe(server.agent.keys.sign.publicKey);
      expect((await stat(join(home, 'keys.json'))).mode & 0o777).toBe(0o600);
      expect((await stat(home)).mode & 0o777).toBe(0o700);
      expect(stdout).not.toContain(keys.sign.privateKey);
      expect(await status()).toMatchObject({
        isEnrolled: true,
        isOnline: false,
        recoveryRecipient: RECIPIENT,
        policy: { restoreOverLive: false, upgrades: false, deletes: true, newDestinations: true },
      });
    });

    it('keeps what it has when the code is refused, or this machine is enrolled already', async () => {
      const refused = await runAgent(home, ['enroll', 'WRONG', '--server', server.url]);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('ENROL_REFUSED: ')]);
      await enrol();
      const before = await readFile(join(home, 'identity.json'), 'utf8');
      server.enrolCodes.add('CODE-2');
      const again = await runAgent(home, ['enroll', 'CODE-2', '--server', server.url]);
      expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('--replace')]);
      expect(await readFile(join(home, 'identity.json'), 'utf8')).toBe(before);
      expect((await runAgent(home, ['enroll', 'CODE-2', '--server', server.url, '--replace'])).code).toBe(0);
      expect(await readFile(join(home, 'identity.json'), 'utf8')).not.toBe(before);
    });

    it.each([['ftp://x'], ['not a url'], ['https://user:secret@x'], ['https://x/?a=1']])('refuses --server %s', async (url) => {
      const { code, stderr } = await runAgent(home, ['enroll', 'CODE', '--server', url]);
      expect(code).toBe(2);
      expect(stderr).toContain('VALIDATION');
      expect(stderr).not.toContain('secret');
    });

    it('says that the server does not answer', async () => {
      const { code, stderr } = await runAgent(home, ['enroll', 'CODE', '--server', `http://127.0.0.1:${await freePort()}`]);
      expect([code, stderr]).toEqual([1, expect.stringContaining('UNAVAILABLE')]);
    });
  });

  describe('policy and recovery-key', () => {
    it('changes one rule at a time', async () => {
      expect((await runAgent(home, ['policy', 'allow-restore-over-live'])).code).toBe(0);
      expect((await runAgent(home, ['policy', 'deny-deletes'])).code).toBe(0);
      expect(JSON.parse((await runAgent(home, ['policy', 'show', '--json'])).stdout)).toEqual({
        newDestinations: true,
        deletes: false,
        restoreOverLive: true,
        upgrades: false,
        storageFolders: [],
        mounts: [],
        exportFolder: null,
      });
      await runAgent(home, ['policy', 'deny-restore-over-live']);
      expect((await runAgent(home, ['policy', 'show'])).stdout).toMatch(/denied\s+restore-over-live/);
    });

    it('lets backups and exports go to folders that exist, and takes them back', async () => {
      const shown = async () =>
        JSON.parse((await runAgent(home, ['policy', 'show', '--json'])).stdout) as Record<string, unknown>;
      expect((await runAgent(home, ['policy', 'allow-folder', `${dir.path}/`])).code).toBe(0);
      expect((await runAgent(home, ['policy', 'allow-folder', dir.path])).stdout).toContain(`backups may stand in ${dir.path}`);
      expect((await runAgent(home, ['policy', 'export-folder', dir.path])).code).toBe(0);
      expect(await shown()).toMatchObject({ storageFolders: [dir.path], exportFolder: dir.path });
      for (const args of [
        ['allow-folder', 'relative'],
        ['allow-folder', join(dir.path, 'nowhere')],
        ['deny-folder', '/mnt/other'],
        ['export-folder', 'relative'],
      ]) {
        const { code, stderr } = await runAgent(home, ['policy', ...args]);
        expect([code, stderr]).toEqual([2, expect.stringContaining('VALIDATION')]);
      }
      expect((await runAgent(home, ['policy', 'deny-folder', dir.path])).code).toBe(0);
      expect((await runAgent(home, ['policy', 'export-folder'])).code).toBe(0);
      expect(await shown()).toMatchObject({ storageFolders: [], exportFolder: null });
    });

    it('makes a kit that reads back, and writes over nothing', async () => {
      const kit = join(dir.path, 'kit.txt');
      const made = await runAgent(home, ['recovery-key', '--out', kit, '--workspace-name', 'Çalışma']);
      expect(made.code).toBe(0);
      const { identity, recipient } = parseRecoveryKit(await readFile(kit, 'utf8'));
      expect((await stat(kit)).mode & 0o777).toBe(0o600);
      expect(made.stdout).toContain(recipient);
      expect(made.stdout + made.stderr).not.toContain(identity);
      expect((await runAgent(home, ['recovery-key', '--show-recipient', kit])).stdout.trim()).toBe(recipient);
      const again = await runAgent(home, ['recovery-key', '--out', kit]);
      expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('CONFLICT')]);
      expect(parseRecoveryKit(await readFile(kit, 'utf8')).identity).toBe(identity);
    });

    it('pins the key that it is told to trust, and no nonsense', async () => {
      expect((await runAgent(home, ['recovery-key', '--trust', 'age1nonsense'])).code).toBe(2);
      expect((await runAgent(home, ['recovery-key', '--trust', OTHER_RECIPIENT])).code).toBe(0);
      expect(await status()).toMatchObject({ recoveryRecipient: OTHER_RECIPIENT });
    });
  });

  describe('run and status', () => {
    it('asks to enrol first', async () => {
      const { code, stderr } = await runAgent(home, ['run']);
      expect([code, stderr]).toEqual([2, expect.stringContaining('rahatback-agent enroll')]);
      expect((await runAgent(home, ['status'])).code).toBe(3);
    });

    it('goes online, is alone on its home, and ends in order', async () => {
      await enrol();
      const first = run();
      await online();
      const second = await runAgent(home, ['run']);
      expect([second.code, second.stderr]).toEqual([5, expect.stringContaining('Another agent already runs')]);
      expect((await runAgent(home, ['status'])).stdout).toContain('online');
      first.signal('SIGTERM');
      expect(await first.ended).toMatchObject({ code: 0, signal: null });
      expect(await status()).toMatchObject({ isRunning: false, isOnline: false, daemon: { link: 'stopped' } });
      const { sign } = JSON.parse(await readFile(join(home, 'keys.json'), 'utf8')) as { sign: { privateKey: string } };
      expect(first.output).toContain('"msg":"Online"');
      expect(first.output).not.toContain(sign.privateKey);
    });

    it('ends with 4 when it was revoked', async () => {
      await enrol();
      const child = run();
      await online();
      server.cut(new AppError('AGENT_REVOKED', 'This agent was revoked.'));
      expect(await child.ended).toMatchObject({ code: 4, stderr: expect.stringContaining('AGENT_REVOKED') });
    });

    it('starts again after a crash that left a half-written state file', async () => {
      await enrol();
      await writeFile(join(home, '.tmp-session.json-x'), '{"gen');
      run();
      await online();
    });
  });

  describe('killed', () => {
    const test = () => envelope(server.agent, 'database:test', { payload: { connection: { ...CONNECTION, port: 1 } } });
    const runsIn = async (commandId: string): Promise<number> => {
      const lines = (await readFile(join(home, 'journal.log'), 'utf8')).split('\n');
      return lines.filter((line) => line.includes('"running"') && line.includes(commandId)).length;
    };

    it.each(AGENT_CRASH_POINTS.filter((point) => /cmd|result/.test(point)))(
      'at %s, then started again: one execution, one result',
      async (point) => {
        await enrol();
        const dying = run({ FAULT: `${point}:1` });
        await waitFor(() => server.journals.length === 1, { describe: 'the first session', timeoutMs: 20_000 });
        const command = test();
        const frame = signed(server.agent, command);
        const receipt = server.sendRaw('database:test', frame, 5_000).catch(() => 'lost');
        expect(await dying.ended).toMatchObject({ code: null, signal: 'SIGKILL' });
        await receipt;
        run();
        await waitFor(() => server.journals.length === 2, { describe: 'the second session', timeoutMs: 20_000 });
        // As the server does with a command that it has no receipt of.
        expect(await server.sendRaw('database:test', frame)).toMatchObject({ ok: true, value: { commandId: command.commandId } });
        await waitFor(() => server.results().some(({ message }) => message.commandId === command.commandId), {
          describe: 'the result',
        });
        await waitFor(async () => (await status()).commands.length === 0, { describe: 'the confirmation', timeoutMs: 20_000 });
        expect(await runsIn(command.commandId)).toBeLessThanOrEqual(1);
        const results = server.results('database:test:result').filter(({ message }) => message.commandId === command.commandId);
        expect(new Set(results.map(({ message }) => JSON.stringify(message.error))).size).toBe(1);
        expect(results[0]?.message.error).toMatchObject({ code: 'DB_UNREACHABLE' });
        expect(results).toHaveLength(point === 'agent.result.after_send' ? 2 : 1);
      },
      60_000,
    );
  });
});
