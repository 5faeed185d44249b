import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DownloadAnswer } from '@rahatback/contracts';
import { seededRandom, startRgw, tempDir, waitFor, type PrivateS3 } from '@rahatback/testing';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { signTicket } from '../../platform/keys/signed-ticket.js';
import { startApi, type RunningApi } from '../../testing/start-api.js';
import { storedScene, type StorageKind } from './testing/stored-scene.js';
import type { BackupScene } from './testing/backup-scene.js';

const run = promisify(execFile);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

interface Piece {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

const get = async (url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Piece> => {
  const response = await fetch(url, { headers, method });
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
};

describe('a backup as a download', () => {
  let s3: PrivateS3;
  let api: RunningApi;

  beforeAll(async () => {
    s3 = await startRgw();
    api = await startApi({ config: { watchdogIntervalMs: 200 } });
  }, 120_000);
  afterAll(async () => {
    await api?.stop();
    await s3?.stop();
  });

  async function asked(scene: BackupScene, backupId: string, query = ''): Promise<DownloadAnswer> {
    const { status, body } = await scene.call<DownloadAnswer>('GET', `/v1/backups/history/${backupId}/download${query}`);
    if (status !== 200) throw new Error(`download was answered with ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  const refused = async (scene: BackupScene, backupId: string, query = ''): Promise<[number, string]> => {
    const answer = await scene.call<{ code: string }>('GET', `/v1/backups/history/${backupId}/download${query}`);
    return [answer.status, answer.body.code];
  };

  describe.each<StorageKind>(['local', 's3'])('on %s', (kind) => {
    it('is one tar with its chain, byte for byte the same whole and in pieces', async () => {
      const { scene, intruder } = await storedScene(api, kind, s3);
      const job = await scene.job({ backupType: 'incremental' });
      const runs = [await scene.succeeded(job, 9_000_000), await scene.succeeded(job, 300_000), await scene.succeeded(job, 1000)];
      const newest = runs[2]?.backupId ?? '';
      const answer = await asked(scene, newest, '?chain=true');
      const whole = await get(answer.url);
      expect([whole.status, whole.bytes.length]).toEqual([200, answer.sizeBytes]);
      expect(whole.headers.get('content-length')).toBe(String(answer.sizeBytes));
      expect(whole.headers.get('content-disposition')).toBe(`attachment; filename="${answer.fileName}"`);
      expect(whole.headers.get('content-type')).toBe('application/x-tar');

      const random = seededRandom(20_261_120);
      const half = Math.floor(answer.sizeBytes / 2);
      const cuts = [1 + random.int(half), half + 1 + random.int(half - 2)];
      const bounds = [0, ...cuts, answer.sizeBytes];
      const etag = whole.headers.get('etag') ?? '';
      const pieces: Buffer[] = [];
      for (const [index, start] of bounds.slice(0, 3).entries()) {
        const end = bounds[index + 1] ?? 0;
        // Each piece by a ticket of its own, as after an interruption of hours.
        const { url } = await asked(scene, newest, '?chain=1');
        const piece = await get(url, { range: `bytes=${start}-${end - 1}`, 'if-range': etag });
        expect([piece.status, piece.headers.get('content-range')]).toEqual([
          206,
          `bytes ${start}-${end - 1}/${answer.sizeBytes}`,
        ]);
        pieces.push(piece.bytes);
      }
      expect(sha256(Buffer.concat(pieces))).toBe(sha256(whole.bytes));
      process.stdout.write(`download on ${kind}: ${answer.sizeBytes} bytes, cut at ${cuts.join(' and ')}, SHA-256 equal\n`);

      const folder = await tempDir('rahatback-download-');
      try {
        await writeFile(join(folder.path, answer.fileName), whole.bytes);
        const { stdout } = await run('tar', ['-tf', join(folder.path, answer.fileName)]);
        const top = `rahatback-${newest}`;
        const objects = runs.flatMap(({ backupId, command }) =>
          ['manifest.json', 'keys-1.json', 'index', 'data-00001'].map(
            (name) => `${scene.owner.workspaceId}/${scene.databaseId}/${backupId}/${command.fence}/${name}`,
          ),
        );
        expect(stdout.trim().split('\n')).toEqual(
          ['README.txt', 'recover.mjs', 'assemble.mjs', ...objects].map((name) => `${top}/${name}`),
        );
        await run('tar', ['-xf', join(folder.path, answer.fileName), '-C', folder.path]);
        for (const key of objects)
          expect((await readFile(join(folder.path, top, key))).equals(await intruder.read(key))).toBe(true);
        const readme = await readFile(join(folder.path, top, 'README.txt'), 'utf8');
        await writeFile(
          join(folder.path, top, 'sums'),
          readme
            .split('\n')
            .filter((line) => /^[0-9a-f]{64} {2}/.test(line))
            .join('\n') + '\n',
        );
        const checked = await run('sha256sum', ['-c', 'sums'], { cwd: join(folder.path, top) });
        expect(checked.stdout.trim().split('\n')).toHaveLength(12);
      } finally {
        await folder.remove();
      }
    }, 120_000);

    it('breaks, and is never just short, when the backup goes away meanwhile', async () => {
      const { scene, intruder } = await storedScene(api, kind, s3);
      const { backupId, command } = await scene.succeeded(await scene.job(), 40_000_000);
      const { url, sizeBytes } = await asked(scene, backupId);
      const key = `${scene.owner.workspaceId}/${scene.databaseId}/${backupId}/${command.fence}/data-00001`;
      const response = await fetch(url);
      const reader = response.body?.getReader();
      let received = 0;
      while (received < 1_000_000) received += (await reader?.read())?.value?.length ?? NaN;
      await intruder.cut(key, 1000);
      const rest = async (): Promise<'broken' | 'whole' | 'short'> => {
        try {
          for (let next = await reader?.read(); !next?.done; next = await reader?.read()) received += next?.value?.length ?? 0;
          return received === sizeBytes ? 'whole' : 'short';
        } catch {
          return 'broken';
        }
      };
      // A store may go on with what it has opened; a disk cannot.
      expect(kind === 'local' ? ['broken'] : ['broken', 'whole']).toContain(await rest());
      expect((await get(url)).status).toBe(409);
      expect(await refused(scene, backupId)).toEqual([409, 'BACKUP_DAMAGED']);
    }, 60_000);
  });

  it('keeps to HTTP: ranges that are none, that lie outside, of another file, and HEAD', async () => {
    const { scene } = await storedScene(api, 'local', undefined);
    const { backupId } = await scene.succeeded(await scene.job(), 100_000);
    const { url, sizeBytes, expiresAt } = await asked(scene, backupId);
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(3_600_000);
    const whole = await get(url);
    const head = await get(url, {}, 'HEAD');
    expect([head.status, head.bytes.length, head.headers.get('content-length')]).toEqual([200, 0, String(sizeBytes)]);
    expect(head.headers.get('etag')).toBe(whole.headers.get('etag'));
    const tail = await get(url, { range: 'bytes=-1000' });
    expect([tail.status, tail.bytes.equals(whole.bytes.subarray(-1000))]).toEqual([206, true]);
    const rest = await get(url, { range: `bytes=${sizeBytes - 7}-` });
    expect([rest.status, rest.bytes.length]).toEqual([206, 7]);
    const outside = await get(url, { range: `bytes=${sizeBytes}-` });
    expect([outside.status, outside.headers.get('content-range')]).toEqual([416, `bytes */${sizeBytes}`]);
    for (const headers of [{ range: 'bytes=0-1,5-6' }, { range: 'lines=1-2' }, { range: 'bytes=0-9', 'if-range': '"other"' }])
      expect((await get(url, headers as Record<string, string>)).bytes.length).toBe(sizeBytes);
    const headOfRange = await get(url, { range: 'bytes=0-9' }, 'HEAD');
    expect([headOfRange.status, headOfRange.headers.get('content-length')]).toEqual([206, '10']);
  }, 60_000);

  it('closes the storage when the reader goes away, and reads no further than is taken', async () => {
    const { scene } = await storedScene(api, 'local', undefined);
    const { backupId } = await scene.succeeded(await scene.job(), 30_000_000);
    const { url } = await asked(scene, backupId);
    const openFiles = async (): Promise<number> => {
      const folder = `/proc/${process.pid}/fd`;
      const targets = await Promise.all((await readdir(folder)).map((name) => readlink(join(folder, name)).catch(() => '')));
      return targets.filter((target) => target.endsWith('data-00001')).length;
    };
    const abort = new AbortController();
    const response = await fetch(url, { signal: abort.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    await waitFor(async () => (await openFiles()) === 1, { describe: 'the volume to be opened' });
    abort.abort();
    await expect(reader?.read()).rejects.toThrow();
    await waitFor(async () => (await openFiles()) === 0, { describe: 'the volume to be closed' });
  }, 60_000);

  it('opens for whom it was made, and for nobody else or longer', async () => {
    const { scene } = await storedScene(api, 'local', undefined);
    const { backupId, command } = await scene.succeeded(await scene.job(), 1000);
    const { url } = await asked(scene, backupId);
    const denied = async (address: string): Promise<[number, string]> => {
      const answer = await get(address);
      return [answer.status, (JSON.parse(answer.bytes.toString()) as { code: string }).code];
    };
    const at = url.length - 4;
    expect(await denied(`${url.slice(0, at)}${url[at] === 'A' ? 'B' : 'A'}${url.slice(at + 1)}`)).toEqual([403, 'URL_EXPIRED']);
    const { kek } = api.app.get(ServerKeys);
    const ticket = { workspaceId: scene.owner.workspaceId, backupId, fence: command.fence, chain: false };
    const made = (purpose: string, more: object): string =>
      `${api.url}/v1/downloads/${signTicket(kek, purpose, { ...ticket, ...more })}`;
    const later = { expiresAt: new Date(Date.now() + 60_000).toISOString() };
    expect((await get(made('download ticket', later))).status).toBe(200);
    expect(await denied(made('download ticket', { expiresAt: new Date(Date.now() - 1).toISOString() }))).toEqual([
      403,
      'URL_EXPIRED',
    ]);
    expect(await denied(made('part ticket', later))).toEqual([403, 'URL_EXPIRED']);
    expect(await denied(made('download ticket', { ...later, fence: command.fence + 1 }))).toEqual([403, 'URL_EXPIRED']);
    const other = (await storedScene(api, 'local', undefined)).scene;
    expect(await denied(made('download ticket', { ...later, workspaceId: other.owner.workspaceId }))).toEqual([404, 'NOT_FOUND']);
    expect(await refused(other, backupId)).toEqual([404, 'NOT_FOUND']);
    expect(await refused(scene, backupId, '?chain=maybe')).toEqual([400, 'VALIDATION']);
    await scene.sql(`UPDATE memberships SET role = 'viewer' WHERE user_id = $1`, [scene.owner.userId]);
    expect(await refused(scene, backupId)).toEqual([403, 'FORBIDDEN']);
    await scene.sql(`UPDATE memberships SET role = 'operator' WHERE user_id = $1`, [scene.owner.userId]);
    await asked(scene, backupId);
    const audited = await scene.sql(
      `SELECT count(*)::int FROM audit_events WHERE action = 'backup.download_requested' AND target_id = $1`,
      [backupId],
    );
    expect(audited).toEqual([[2]]);
    await scene.sql(`UPDATE memberships SET role = 'owner' WHERE user_id = $1`, [scene.owner.userId]);
    expect((await scene.call('DELETE', `/v1/backups/history/${backupId}`)).status).toBe(202);
    expect([404, 409]).toContain((await get(url)).status);
  }, 60_000);

  it('is not for what failed, nor for what only an agent can read', async () => {
    const { scene } = await storedScene(api, 'local', undefined);
    const failed = await scene.started(await scene.job());
    await scene.agent.fail(failed.command, 'DB_PRIVILEGE');
    expect(await refused(scene, failed.backupId)).toEqual([409, 'CONFLICT']);
    const { backupId } = await scene.succeeded(await scene.job(), 1000);
    await scene.sql(`UPDATE storages SET settings = $2 WHERE id = $1`, [
      scene.storageId,
      JSON.stringify({ agentId: scene.agent.id, path: '/srv' }),
    ]);
    const answer = await scene.call<{ message: string }>('GET', `/v1/backups/history/${backupId}/download`);
    expect([answer.status, answer.body.message]).toEqual([409, expect.stringContaining('Export it')]);
  }, 60_000);
});
