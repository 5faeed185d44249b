import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempDir, type TempDir } from '../temp-dir.js';
import { startNodeProcess } from './node-process.js';
import { isAlive } from './process-tree.js';

describe('node process', () => {
  let folder: TempDir;
  beforeAll(async () => {
    folder = await tempDir();
  });
  afterAll(() => folder.remove());

  const program = async (name: string, source: string): Promise<{ entry: string; logPath: string }> => {
    const entry = join(folder.path, `${name}.cjs`);
    await writeFile(entry, source);
    return { entry, logPath: join(folder.path, `${name}.log`) };
  };

  it('waits for the ready line, passes only the given environment, and stops', async () => {
    const files = await program(
      'plain',
      `console.log('port', process.env.PORT, process.env.JEST_WORKER_ID); setInterval(() => 0, 1000);`,
    );
    const started = await startNodeProcess({ ...files, env: { PORT: '1234' }, readyLine: /^port/m });
    expect(await started.log()).toBe('port 1234 undefined\n');
    expect(await started.stop()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(isAlive(started.pid)).toBe(false);
    const second = await startNodeProcess({ ...files, env: { PORT: '5' }, readyLine: /^port/m });
    expect(await second.log()).toBe('port 5 undefined\n');
    await second.stop();
  });

  it('shows the log of a program that ends before it is ready', async () => {
    const files = await program('broken', `console.error('no database'); process.exit(3);`);
    await expect(startNodeProcess({ ...files, readyLine: /ready/ })).rejects.toThrow(/ended before it was ready\nno database/);
  });

  it('kills a program that ignores SIGTERM', async () => {
    const files = await program('deaf', `process.on('SIGTERM', () => 0); console.log('ready'); setInterval(() => 0, 1000);`);
    const started = await startNodeProcess({ ...files, readyLine: /ready/ });
    expect(await started.stop(100)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('sees children, and grandchildren that init has adopted', async () => {
    const spawnIt = `require('node:child_process').spawn('sh', ['-c', 'sleep 300 & sleep 301'], { stdio: 'ignore' }); console.log('ready');`;
    const files = await program('parent', `${spawnIt} setInterval(() => 0, 1000);`);
    const started = await startNodeProcess({ ...files, readyLine: /ready/ });
    await started.kill();
    await expect(started.assertNoChildLeft(100)).rejects.toThrow(/sleep 30/);
    started.children().forEach(({ pid }) => process.kill(pid, 'SIGKILL'));
    await started.assertNoChildLeft();
  });
});
