import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { waitFor } from '@rahatback/testing';
import express from 'express';
import { BackupArchiveController } from './backup-archive.controller.js';
import { layOut, readArchive } from './backup-archive-layout.js';
import type { BackupArchives } from './backup-archive.service.js';

const MIB = 1024 * 1024;
const CHUNK = Buffer.alloc(256 * 1024, 'x');

/** A storage with one endless volume that counts what is taken out of it. */
function countingStorage() {
  const seen = { bytes: 0, closed: 0 };
  const open = (_key: string, { start, end }: { start: number; end: number }): Promise<Readable> => {
    function* chunks(): Generator<Buffer> {
      for (let left = end - start; left > 0; left -= CHUNK.length) {
        seen.bytes += Math.min(left, CHUNK.length);
        yield CHUNK.subarray(0, Math.min(left, CHUNK.length));
      }
    }
    const stream = Readable.from(chunks(), { objectMode: false });
    return Promise.resolve(stream.once('close', () => (seen.closed += 1)));
  };
  return { seen, open };
}

describe('sending a download', () => {
  const servers: Server[] = [];
  afterAll(() => Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve)))));

  async function serve(sizeBytes: number) {
    const { seen, open } = countingStorage();
    const layout = layOut([{ path: 'data-00001', sizeBytes, content: { key: 'k', sha256: 's' } }], new Date(0));
    const archive = {
      ...layout,
      fileName: 'a.tar',
      read: (range: { start: number; end: number }) => Readable.from(readArchive(layout, range, open), { objectMode: false }),
    };
    const archives = { open: () => Promise.resolve(archive) } as unknown as BackupArchives;
    const controller = new BackupArchiveController(archives);
    const app = express().get('/:ticket', (request, response) => controller.download('ticket', request, response));
    const server = createServer(app);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ticket`;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { agent: false }, resolve).once('error', reject);
    });
    return { seen, response, sizeBytes: layout.sizeBytes };
  }

  it('takes no more out of the storage than the reader takes, and lets go of it when the reader goes', async () => {
    const { seen, response } = await serve(4 * 1024 * MIB);
    response.pause();
    let last = -1;
    await waitFor(
      () => {
        const isStill = seen.bytes > 0 && seen.bytes === last;
        last = seen.bytes;
        return isStill;
      },
      { describe: 'the server to wait for the reader', timeoutMs: 20_000 },
    );
    expect(seen.bytes).toBeLessThan(64 * MIB);
    expect(seen.closed).toBe(0);
    response.destroy();
    await waitFor(() => seen.closed === 1, { describe: 'the object to be closed' });
    expect(seen.bytes).toBeLessThan(64 * MIB);
  }, 30_000);

  it('needs the same memory for a gigabyte as for a part of it', async () => {
    const { response, sizeBytes } = await serve(1024 * MIB);
    let received = 0;
    let early = 0;
    let peak = 0;
    for await (const chunk of response) {
      received += (chunk as Buffer).length;
      const { heapUsed, external } = process.memoryUsage();
      if (received < 128 * MIB) early = Math.max(early, heapUsed + external);
      else peak = Math.max(peak, heapUsed + external);
    }
    expect(received).toBe(sizeBytes);
    expect(peak - early).toBeLessThan(128 * MIB);
    process.stdout.write(
      `download: ${Math.round(received / MIB)} MiB sent, memory ${Math.round((peak - early) / MIB)} MiB above its first 128 MiB\n`,
    );
  }, 60_000);
});
