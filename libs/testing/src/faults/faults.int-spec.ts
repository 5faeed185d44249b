import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { startNodeProcess } from '../processes/node-process.js';
import { tempDir, type TempDir } from '../temp-dir.js';
import { waitFor } from '../wait-for.js';
import { mountSmallDisk } from './small-disk.js';
import { pauseProcess } from './paused-process.js';
import { processFaults } from './process-faults.js';
import { startTcpFaultProxy, type TcpFaultProxy } from './tcp-fault-proxy.js';

describe('a bad link', () => {
  let server: Server;
  let proxy: TcpFaultProxy;
  const accepted: Socket[] = [];
  const clients: Socket[] = [];

  beforeAll(async () => {
    // Echoes everything, and keeps its side open.
    server = createServer((socket) => {
      accepted.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => socket.write(bytes));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy = await startTcpFaultProxy((server.address() as AddressInfo).port);
  });
  afterEach(() => {
    proxy.heal();
    for (const socket of clients.splice(0)) socket.destroy();
  });
  afterAll(async () => {
    await proxy.stop();
    for (const socket of accepted) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  const dial = async () => {
    const socket = connect({ host: '127.0.0.1', port: proxy.port });
    clients.push(socket);
    let came = Buffer.alloc(0);
    let end: string | undefined;
    socket.on('data', (bytes) => (came = Buffer.concat([came, bytes])));
    socket.on('error', (error) => (end = (error as NodeJS.ErrnoException).code));
    socket.on('close', () => (end ??= 'closed'));
    await once(socket, 'connect').catch(() => undefined);
    return { socket, came: () => came, end: () => end };
  };
  const until = (probe: () => boolean): Promise<unknown> => waitFor(probe, { describe: 'the link', timeoutMs: 10_000 });

  it('carries bytes as they are when it is good', async () => {
    const line = await dial();
    const sent = randomBytes(300_000);
    line.socket.write(sent);
    await until(() => line.came().length === sent.length);
    expect(line.came().equals(sent)).toBe(true);
    line.socket.end();
    await until(() => proxy.openConnections() === 0 || line.end() !== undefined || accepted.at(-1)?.readableEnded === true);
  });

  it('swallows everything, and gives it on when it is healed', async () => {
    const line = await dial();
    line.socket.write('a');
    await until(() => line.came().toString() === 'a');
    proxy.set({ isBlackHole: true });
    line.socket.write('b');
    const late = await dial();
    late.socket.write('c');
    await expect(
      waitFor(() => line.came().length > 1 || late.came().length > 0, { describe: 'x', timeoutMs: 300 }),
    ).rejects.toThrow();
    expect([line.end(), late.end()]).toEqual([undefined, undefined]);
    proxy.heal();
    await until(() => line.came().toString() === 'ab' && late.came().toString() === 'c');
  });

  it('tells nobody through a black hole that a side has gone', async () => {
    const line = await dial();
    line.socket.write('a');
    await until(() => line.came().length === 1);
    const far = accepted.at(-1);
    let farEnded = false;
    far?.on('close', () => (farEnded = true));
    proxy.set({ isBlackHole: true });
    line.socket.destroy();
    await expect(waitFor(() => farEnded, { describe: 'x', timeoutMs: 300 })).rejects.toThrow();
    proxy.heal();
    far?.on('end', () => far.end());
    await until(() => farEnded || far?.readableEnded === true);
  });

  it('resets, refuses and cuts', async () => {
    const line = await dial();
    line.socket.write('a');
    await until(() => line.came().length === 1);
    proxy.reset();
    await until(() => line.end() === 'ECONNRESET');
    proxy.set({ refuses: true });
    const refused = await dial();
    await until(() => refused.end() !== undefined);
    proxy.set({ cutAfterBytes: 10 });
    const cut = await dial();
    cut.socket.write(Buffer.alloc(4));
    await until(() => cut.came().length === 4);
    cut.socket.write(Buffer.alloc(100));
    await until(() => cut.end() === 'ECONNRESET');
    expect(cut.came().length).toBeLessThan(104);
  });

  it('flips one bit, once, in the chosen direction', async () => {
    proxy.set({ corruptByteAt: 1_000 });
    const line = await dial();
    const sent = randomBytes(200_000);
    line.socket.write(sent);
    await until(() => line.came().length === sent.length);
    const wrong = [...sent.keys()].filter((index) => line.came()[index] !== sent[index]);
    expect(wrong).toEqual([1_000]);
  });

  it('is slow and late', async () => {
    proxy.set({ bytesPerSecond: 20_000, latencyMs: 20, direction: 'up' });
    const line = await dial();
    const start = performance.now();
    line.socket.write(Buffer.alloc(10_000));
    await until(() => line.came().length === 10_000);
    expect(performance.now() - start).toBeGreaterThan(500);
  });
});

describe('faults of a machine', () => {
  let folder: TempDir;
  beforeAll(async () => {
    folder = await tempDir();
  });
  afterAll(() => folder.remove());

  it('fill a disk, and give it back', () => {
    const disk = mountSmallDisk(join(folder.path, 'disk'), 2, 'a disk that is full');
    if (!disk) return;
    try {
      const file = join(disk.path, 'a');
      disk.fill();
      expect(() => writeFileSync(file, Buffer.alloc(65_536))).toThrow(/ENOSPC/);
      disk.free();
      writeFileSync(file, Buffer.alloc(65_536));
      disk.fill(300_000);
      writeFileSync(file, Buffer.alloc(200_000));
    } finally {
      disk.unmount();
      disk.unmount();
    }
  });

  it('stop a process, step its clock, block it, and fail its fsync', async () => {
    const faults = processFaults(folder.path, 'victim');
    const entry = join(folder.path, 'victim.mjs');
    await writeFile(
      entry,
      `import { open } from 'node:fs/promises';
       setInterval(() => console.log('tick', Date.now() - performance.timeOrigin - performance.now() > 1e6, new Date() instanceof Date), 50);
       setInterval(async () => { const f = await open(process.argv[2], 'w'); await f.sync().catch((e) => console.log('sync', e.code)); await f.close(); }, 50);`,
    );
    const args = [join(folder.path, 'synced')];
    const victim = await startNodeProcess({
      entry,
      args,
      env: faults.env,
      logPath: join(folder.path, 'victim.log'),
      readyLine: /tick/,
    });
    try {
      const ticks = async (): Promise<number> => (await victim.log()).split('tick').length;
      const more = async (count: number): Promise<unknown> =>
        waitFor(async () => (await ticks()) > count, { describe: 'a tick', timeoutMs: 3_000 });
      expect(await victim.log()).toContain('tick false true');
      await faults.set({ clockOffsetMs: 3_600_000 });
      await waitFor(async () => (await victim.log()).includes('tick true true'), { describe: 'the step' });
      await faults.set({ failSyncs: 2 });
      await waitFor(async () => (await victim.log()).split('sync EIO').length === 3, { describe: 'two failures' });
      expect(await faults.failedSyncs()).toBe(2);
      const goOn = await pauseProcess(victim.pid);
      const before = await ticks();
      await expect(more(before)).rejects.toThrow(/Timed out/);
      goOn();
      await more(before);
      await faults.set({ blockLoopMs: 2_000 });
      const blocked = await ticks();
      await more(blocked);
    } finally {
      await victim.kill();
    }
  }, 60_000);
});
