import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { mkdir, writeFile } from 'node:fs/promises';
import { S3Backend } from '@rahatback/storage';
import { startRgw, type PrivateS3 } from '@rahatback/testing/s3';
import { runAgent } from '../testing/agent-process.js';
import { BackupWorld } from '../testing/backup-world.js';

jest.setTimeout(240_000);

describe('a bucket without a server', () => {
  let world: BackupWorld;
  let s3: PrivateS3;
  let bucket: string;
  let backupId: string;
  let attempt: string;
  let keys: Record<string, string>;

  beforeAll(async () => {
    [world, s3] = await Promise.all([BackupWorld.start(), startRgw()]);
    bucket = await s3.createBucket();
    await world.run();
    const command = await world.backupCommand(await world.shop());
    await world.server.send(command);
    expect(await world.result(command)).toMatchObject({ event: 'backup:completed' });
    await world.kill();
    const { workspaceId, databaseId } = command.payload.location;
    backupId = command.payload.location.backupId;
    attempt = `${workspaceId}/${databaseId}/${backupId}/${command.fence}`;
    const backend = new S3Backend({ ...s3, bucket, prefix: 'yedek/müşteri' });
    for (const [key, bytes] of world.server.storage.objects)
      await backend.putIfAbsent(`${workspaceId}/${databaseId}/${key}`, bytes);
    keys = { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey };
  });
  afterAll(async () => {
    await world.stop();
    await s3.stop();
  });

  const decrypt = (from: string, args: readonly string[] = [], env = keys) =>
    runAgent(world.home, ['decrypt', '--from', from, '--endpoint', s3.endpoint, '--region', s3.region, ...args], env);
  const sha256 = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex');

  it('is read from its root, by the backup asked for, and from the very folder of one', async () => {
    const root = await decrypt(`s3://${bucket}/yedek/müşteri`);
    expect([root.code, root.stdout.includes('20000')]).toEqual([0, true]);
    const asked = await decrypt(`s3://${bucket}/yedek/müşteri/`, ['--backup', backupId]);
    const folder = await decrypt(`s3://${bucket}/yedek/müşteri/${attempt}`);
    for (const answer of [asked, folder]) expect([answer.code, sha256(answer.stdout)]).toEqual([0, sha256(root.stdout)]);
  });

  it('takes its keys from a credentials file', async () => {
    const presented = join(world.dir.path, 'presented');
    await mkdir(presented);
    const file = join(presented, 'credentials');
    await writeFile(
      file,
      `[other]\naws_access_key_id = x\naws_secret_access_key = y\n[default]\naws_access_key_id = ${s3.accessKeyId}\naws_secret_access_key = ${s3.secretAccessKey}\n`,
    );
    expect((await decrypt(`s3://${bucket}/yedek`, ['--credentials', file], {})).code).toBe(0);
  });

  it('restores into a new database', async () => {
    const { host, port, superuser, password } = world.postgres;
    const target = [
      '--database',
      'from_bucket',
      '--host',
      host,
      '--port',
      String(port),
      '--user',
      superuser,
      '--tls-mode',
      'disable',
    ];
    const line = ['restore', '--from', `s3://${bucket}`, '--endpoint', s3.endpoint, '--region', s3.region, ...target];
    const { code, stdout } = await runAgent(world.home, line, { ...keys, PGPASSWORD: password });
    expect([code, stdout]).toEqual([0, expect.stringContaining('every digest equal')]);
    expect(await world.postgres.query('SELECT count(*) FROM customers', { database: 'from_bucket' })).toEqual([['20000']]);
  });

  it('says what is wrong: bucket, keys, and nothing there, without the key', async () => {
    const absent = await decrypt(`s3://absent-${randomUUID()}/x`);
    expect([absent.code, absent.stderr]).toEqual([2, expect.stringMatching(/S3_(BUCKET|DENIED)/)]);
    const wrong = await decrypt(`s3://${bucket}/yedek`, [], { ...keys, AWS_SECRET_ACCESS_KEY: 'canary-wrong-key' });
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/S3_(CREDENTIALS|DENIED)/)]);
    expect(wrong.stderr).not.toContain('canary');
    const empty = await decrypt(`s3://${bucket}/nothing`);
    expect([empty.code, empty.stderr]).toEqual([2, expect.stringContaining('OBJECT_MISSING')]);
  });
});
