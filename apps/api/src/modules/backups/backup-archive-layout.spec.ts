import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { tempDir } from '@rahatback/testing';
import { layOut, readArchive, type ArchiveFile, type ArchiveLayout } from './backup-archive-layout.js';
import { ASSEMBLE_SCRIPT, RECOVER_SCRIPT } from './backup-archive-scripts.js';

const GIB = 1024 ** 3;
const TIME = new Date('2026-11-20T10:00:00Z');
const run = promisify(execFile);

const stored = (path: string, sizeBytes: number): ArchiveFile => ({
  path,
  sizeBytes,
  content: { key: path, sha256: `sha of ${path}` },
});
const files: readonly ArchiveFile[] = [
  { path: 'folder/README.txt', sizeBytes: 5, content: { bytes: Buffer.from('hello') } },
  stored('folder/empty', 0),
  stored('folder/block', 512),
  stored(`folder/${'a'.repeat(36)}/${'b'.repeat(36)}/${'c'.repeat(36)}/123/data-00001`, 1000),
];
const open = (_key: string, { start, end }: { start: number; end: number }): Promise<Readable> =>
  Promise.resolve(Readable.from([Buffer.alloc(end - start, 'x')]));
const bytesOf = (layout: ArchiveLayout, start = 0, end = layout.sizeBytes): Promise<Buffer> =>
  buffer(Readable.from(readArchive(layout, { start, end }, open)));

describe('the layout of a download', () => {
  it('is a tar that tar itself lists and unpacks, the same every time', async () => {
    const layout = layOut(files, TIME);
    const bytes = await bytesOf(layout);
    expect(bytes.length).toBe(layout.sizeBytes);
    expect(await bytesOf(layOut(files, TIME))).toEqual(bytes);
    const folder = await tempDir('rahatback-tar-');
    try {
      await writeFile(join(folder.path, 'a.tar'), bytes);
      const listed = await run('tar', ['-tvf', join(folder.path, 'a.tar')]);
      expect(listed.stderr).toBe('');
      expect(
        listed.stdout
          .trim()
          .split('\n')
          .map((line) => line.split(/\s+/).at(-1)),
      ).toEqual(files.map(({ path }) => path));
      await run('tar', ['-xf', join(folder.path, 'a.tar'), '-C', folder.path]);
      for (const { path, sizeBytes } of files) expect(readFileSync(join(folder.path, path)).length).toBe(sizeBytes);
    } finally {
      await folder.remove();
    }
  });

  it('reads any range of it as that range, and nothing outside', async () => {
    const layout = layOut(files, TIME);
    const bytes = await bytesOf(layout);
    for (let start = 0; start < bytes.length; start += 97) {
      for (const length of [1, 511, 700, 5000]) {
        const end = Math.min(bytes.length, start + length);
        expect((await bytesOf(layout, start, end)).equals(bytes.subarray(start, end))).toBe(true);
      }
    }
  });

  it('holds what ustar cannot say: 64 GiB, names that are too long', async () => {
    const path = `folder/${'z'.repeat(300)}`;
    const layout = layOut([stored(path, 64 * GIB), stored('folder/after', 3)], TIME);
    expect(layout.sizeBytes).toBeGreaterThan(64 * GIB);
    const head = await bytesOf(layout, 0, 2048);
    const folder = await tempDir('rahatback-tar-');
    try {
      // A sparse file of that size: tar reads the headers and skips the rest.
      const script = `truncate -s ${layout.sizeBytes} big.tar && dd if=head of=big.tar conv=notrunc status=none && dd if=tail of=big.tar bs=512 seek=${(layout.sizeBytes - 2048) / 512} conv=notrunc status=none`;
      await writeFile(join(folder.path, 'head'), head);
      await writeFile(join(folder.path, 'tail'), await bytesOf(layout, layout.sizeBytes - 2048));
      await run('sh', ['-c', script], { cwd: folder.path });
      const { stdout } = await run('tar', ['-tvf', 'big.tar'], { cwd: folder.path });
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/));
      expect(lines.map((line) => [line[2], line.at(-1)])).toEqual([
        [String(64 * GIB), path],
        ['3', 'folder/after'],
      ]);
    } finally {
      await folder.remove();
    }
  }, 60_000);

  it('has another tag when any object is another one', () => {
    const { etag } = layOut(files, TIME);
    const changed = files.map((file) =>
      'key' in file.content ? { ...file, content: { ...file.content, sha256: 'other' } } : file,
    );
    expect(layOut(changed, TIME).etag).not.toBe(etag);
    expect(layOut(files, new Date(0)).etag).not.toBe(etag);
    expect(layOut(files, TIME).etag).toBe(etag);
  });

  it('fails, and does not just end, when an object gives fewer bytes', async () => {
    const short = (): Promise<Readable> => Promise.resolve(Readable.from([Buffer.alloc(3)]));
    const layout = layOut(files, TIME);
    await expect(buffer(Readable.from(readArchive(layout, { start: 0, end: layout.sizeBytes }, short)))).rejects.toThrow(
      /3 bytes/,
    );
  });

  it('carries the programs of the recovery document as they stand there', () => {
    const document = readFileSync(join(__dirname, '../../../../../docs/RECOVERY.md'), 'utf8');
    for (const script of [RECOVER_SCRIPT, ASSEMBLE_SCRIPT]) expect(document).toContain('```js\n' + script + '```');
  });
});
