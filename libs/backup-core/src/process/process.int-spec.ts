import { isAlive, listProcesses, waitFor } from '@rahatback/testing';
import { randomUUID } from 'node:crypto';
import { startTicksOf } from './leftover.js';
import { outputOf, spawnTool, type ToolCommand } from './spawn-tool.js';
import { OutputTail } from './stderr-tail.js';

const shell = (script: string, env: Record<string, string> = {}): ToolCommand => ({
  binary: '/bin/sh',
  args: ['-c', script],
  env: { PATH: '/usr/bin:/bin', ...env },
});
const never = new AbortController().signal;

describe('spawnTool', () => {
  it('ends the whole tree when it is aborted, also what ignores SIGTERM', async () => {
    const marker = `3${Date.now()}${process.pid}`;
    const marked = (): number[] =>
      listProcesses()
        .filter(({ argv }) => argv.includes(marker))
        .map(({ pid }) => pid);
    const cancel = new AbortController();
    const tool = await spawnTool(shell(`trap '' TERM; sleep ${marker} & sleep ${marker} & wait; wait`), {
      signal: cancel.signal,
      secrets: [],
    });
    await waitFor(() => marked().length >= 2, { describe: 'the grandchildren' });
    cancel.abort();
    const { signal } = await tool.exit;
    expect(signal).not.toBeNull();
    await waitFor(() => marked().length === 0, { describe: 'the end of the grandchildren' });
  });

  it.each(['exit 0', 'exit 1', 'kill -KILL $$'])('ends what the tool leaves behind without its pipes (%s)', async (end) => {
    const marker = `4${Date.now()}${process.pid}`;
    const marked = (): boolean => listProcesses().some(({ argv }) => argv.includes(marker));
    const script = `sleep ${marker} </dev/null >/dev/null 2>&1 & echo started; read go; ${end}`;
    const tool = await spawnTool(shell(script), { signal: never, secrets: [] });
    await waitFor(() => marked(), { describe: 'the child that is left' });
    tool.stdout.resume();
    tool.stdin.end('go\n');
    await tool.exit;
    await waitFor(() => !marked(), { describe: 'its end' });
  });

  it('reports how it ended, and its last words without secrets', async () => {
    const secret = `p-${randomUUID()}`;
    const tool = await spawnTool(shell('echo "said $SECRET" >&2; exit 7', { SECRET: secret }), {
      signal: never,
      secrets: [secret],
    });
    tool.stdin.end();
    tool.stdout.resume();
    expect(await tool.exit).toEqual({ code: 7, signal: null });
    expect(tool.errorTail()).toBe('said [hidden]\n');
    await tool.kill();
  });

  it('gives the child nothing of our environment, and its record names it', async () => {
    // It waits for its standard input: it must still be there when its record is looked at.
    const records: number[] = [];
    const tool = await spawnTool(shell('read -r line; env | sort'), {
      signal: never,
      secrets: [],
      onSpawn: ({ pid, startTicks }) => {
        expect(startTicks).toBe(startTicksOf(pid));
        records.push(pid);
      },
    });
    tool.stdin.end();
    const output: Buffer[] = [];
    for await (const bytes of tool.stdout) output.push(bytes as Buffer);
    await tool.exit;
    expect(
      Buffer.concat(output)
        .toString()
        .split('\n')
        .map((line) => line.split('=')[0])
        .filter((name) => name !== 'PWD' && name !== '_' && name !== ''),
    ).toEqual(['PATH']);
    expect(records.map(isAlive)).toEqual([false]);
  });

  it('says what is missing, and does not start when aborted before', async () => {
    const missing = { binary: '/nonexistent/pg_dump', args: [], env: {} };
    await expect(spawnTool(missing, { signal: never, secrets: [] })).rejects.toMatchObject({ code: 'TOOL_MISSING' });
    await expect(spawnTool(shell('true'), { signal: AbortSignal.abort(new Error('too late')), secrets: [] })).rejects.toThrow(
      'too late',
    );
    expect(await outputOf(missing, never)).toBeNull();
    expect(await outputOf(shell('echo ok'), never)).toBe('ok\n');
    expect(await outputOf(shell('echo no; exit 1'), never)).toBeNull();
  });
});

describe('OutputTail', () => {
  it('keeps the end, and hides a secret even where the kept part begins', () => {
    const secret = 'S'.repeat(500);
    for (let before = 0; before < 3000; before += 97) {
      const tail = new OutputTail([secret, '']);
      for (const piece of [`${'x'.repeat(before)}${secret}`, ...Array.from({ length: 80 }, () => 'y'.repeat(1000))])
        tail.push(Buffer.from(piece));
      expect(tail.text()).not.toContain('SS');
      expect(tail.text().length).toBeLessThanOrEqual(64 * 1024);
      expect(tail.text().endsWith('yyy')).toBe(true);
    }
    const encoded = new OutputTail(['pä ss']);
    encoded.push(Buffer.from('url with p%C3%A4%20ss inside'));
    expect(encoded.text()).toBe('url with [hidden] inside');
  });
});
