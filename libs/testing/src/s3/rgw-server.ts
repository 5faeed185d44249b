import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { testSecret } from '../canary/test-secret.js';
import { freePort } from '../ports.js';
import { spawnServer, waitUntilReady } from '../servers/server-process.js';
import type { ServerProcess } from '../servers/server-process.js';
import { giveToUnprivileged, unprivileged } from '../servers/unprivileged.js';
import { tempDir } from '../temp-dir.js';
import { cephConfig } from './rgw-config.js';

const START_TIMEOUT_MS = 60_000;
const COMMAND_TIMEOUT_MS = 30_000;
const START_ATTEMPTS = 3;

export interface S3User {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface PrivateS3 extends S3User {
  readonly endpoint: string;
  readonly region: string;
  /** Creates a bucket of the first user and returns its name. */
  createBucket(name?: string): Promise<string>;
  /** Another user, who may do nothing until a bucket policy says so. */
  createUser(name: string): Promise<S3User>;
  /** Ends the servers by their own process ids and removes the data. May run twice. */
  stop(): Promise<void>;
}

interface Cluster {
  readonly folder: string;
  readonly endpoint: string;
  readonly servers: ServerProcess[];
  run(binary: string, ...args: string[]): Promise<string>;
}

const execute = promisify(execFile);

async function prepareFolder(folder: string): Promise<void> {
  await giveToUnprivileged(folder);
  for (const name of ['mon', 'osd', 'rgw', 'run', 'log']) {
    await mkdir(join(folder, name), { mode: 0o700 });
    await giveToUnprivileged(join(folder, name));
  }
}

async function newCluster(folder: string, monitorPort: number, s3Port: number): Promise<Cluster & { clusterId: string }> {
  await prepareFolder(folder);
  const clusterId = randomUUID();
  const configPath = join(folder, 'ceph.conf');
  await writeFile(configPath, cephConfig({ folder, clusterId, monitorPort, s3Port }));
  const env = { PATH: process.env.PATH, CEPH_CONF: configPath, HOME: folder, LC_ALL: 'C.UTF-8' };
  return {
    folder,
    clusterId,
    endpoint: `http://127.0.0.1:${s3Port}`,
    servers: [],
    async run(binary, ...args) {
      const command = unprivileged(binary, args);
      try {
        return (await execute(command.binary, [...command.args], { cwd: folder, env, timeout: COMMAND_TIMEOUT_MS })).stdout;
      } catch (cause) {
        const { stderr, message } = cause as { stderr?: string; message: string };
        throw new Error(`${binary} failed: ${stderr || message}`, { cause });
      }
    },
  };
}

function startDaemon(cluster: Cluster, binary: string, args: readonly string[]): ServerProcess {
  const server = spawnServer(unprivileged(binary, ['-f', ...args]), {
    cwd: cluster.folder,
    logPath: join(cluster.folder, `${binary}.out`),
    env: { CEPH_CONF: join(cluster.folder, 'ceph.conf'), HOME: cluster.folder },
  });
  cluster.servers.unshift(server);
  return server;
}

/** The cluster's own keys (cephx), then monitor, OSD and gateway in the order in which each needs the one before. */
async function startCluster(cluster: Cluster & { clusterId: string }, monitorPort: number): Promise<void> {
  const { folder, clusterId } = cluster;
  const keyring = join(folder, 'keyring');
  const everything = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *'];
  await cluster.run('ceph-authtool', '--create-keyring', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *');
  await cluster.run('ceph-authtool', keyring, '--gen-key', '-n', 'client.admin', ...everything);
  await cluster.run(
    'ceph-authtool',
    keyring,
    '--gen-key',
    '-n',
    'client.rgw',
    '--cap',
    'mon',
    'allow rwx',
    '--cap',
    'osd',
    'allow rwx',
  );
  await cluster.run(
    'ceph-authtool',
    keyring,
    '--gen-key',
    '-n',
    'osd.0',
    '--cap',
    'mon',
    'allow profile osd',
    '--cap',
    'osd',
    'allow *',
  );

  const monitorMap = join(folder, 'monmap');
  await cluster.run('monmaptool', '--create', '--fsid', clusterId, '--addv', 'a', `[v2:127.0.0.1:${monitorPort}]`, monitorMap);
  await cluster.run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', monitorMap, '--keyring', keyring);
  startDaemon(cluster, 'ceph-mon', ['-i', 'a']);

  // The OSD must be made with the very UUID that the monitor was told, or it never joins.
  const osdId = randomUUID();
  await cluster.run('ceph', '--connect-timeout', '20', 'osd', 'new', osdId);
  await cluster.run('ceph', 'auth', 'add', 'osd.0', '-i', keyring);
  await cluster.run('ceph', 'auth', 'add', 'client.rgw', '-i', keyring);
  await cluster.run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osdId);
  startDaemon(cluster, 'ceph-osd', ['-i', '0']);

  const gateway = startDaemon(cluster, 'radosgw', ['-n', 'client.rgw']);
  await waitUntilReady(gateway, async () => (await fetch(cluster.endpoint)).status < 500, {
    name: `Ceph RGW at ${cluster.endpoint}`,
    logPath: join(folder, 'log', 'client.rgw.log'),
    timeoutMs: START_TIMEOUT_MS,
  });
}

async function createUser(cluster: Cluster, name: string): Promise<S3User> {
  const accessKeyId = `TEST${randomBytes(8).toString('hex').toUpperCase()}`;
  const secretAccessKey = testSecret('s3', { fresh: true });
  const keys = ['--access-key', accessKeyId, '--secret-key', secretAccessKey];
  await cluster.run('radosgw-admin', 'user', 'create', '--uid', name, '--display-name', name, ...keys);
  return { accessKeyId, secretAccessKey };
}

async function startOnFreePorts(): Promise<{ cluster: Cluster; user: S3User; stop: () => Promise<void> }> {
  const home = await tempDir('rahatback-rgw-');
  const [monitorPort, s3Port] = [await freePort(), await freePort()];
  const cluster = await newCluster(home.path, monitorPort, s3Port);
  const stop = async (): Promise<void> => {
    await Promise.all(cluster.servers.map((server) => server.kill()));
    await home.remove();
  };
  try {
    await startCluster(cluster, monitorPort);
    return { cluster, user: await createUser(cluster, 'owner'), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * A real S3 server of its own: Ceph RADOS Gateway (packages radosgw, ceph-mon, ceph-osd) on 127.0.0.1 and free ports, data in a temporary
 * folder, run unprivileged. Takes 5 to 10 seconds, so share one per test file. It ends with this process at the latest; `stop` also removes its data.
 */
export async function startRgw(): Promise<PrivateS3> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { cluster, user, stop } = await startOnFreePorts();
      const region = 'us-east-1';
      const client = new S3Client({ endpoint: cluster.endpoint, region, credentials: user, forcePathStyle: true });
      return {
        endpoint: cluster.endpoint,
        region,
        ...user,
        createUser: (name) => createUser(cluster, name),
        async createBucket(name = `test-${randomBytes(6).toString('hex')}`) {
          await client.send(new CreateBucketCommand({ Bucket: name }));
          return name;
        },
        async stop() {
          client.destroy();
          await stop();
        },
      };
    } catch (error) {
      // Another process may have taken a port between the check and its use.
      if (attempt === START_ATTEMPTS || !/address (already )?in use|failed to bind/i.test(String(error))) throw error;
    }
  }
}
