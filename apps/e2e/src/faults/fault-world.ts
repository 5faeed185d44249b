import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageView } from '@rahatback/contracts';
import { S3Backend } from '@rahatback/storage';
import {
  mountSmallDisk,
  startRgw,
  startS3FaultProxy,
  startTcpFaultProxy,
  tempDir,
  type PrivateS3,
  type S3FaultProxy,
  type SmallDisk,
  type TcpFaultProxy,
} from '@rahatback/testing';
import { waitOnline } from '../system/agent-side.js';
import { startWorld, type World } from '../system/world.js';
import { watchRows } from './row-watch.js';

/** Between whom each link lies. */
export interface Links {
  /** The agent, and the part addresses of the server's own disk, to the first API. */
  readonly api: TcpFaultProxy;
  /** All processes of the server to PostgreSQL. */
  readonly postgres: TcpFaultProxy;
  /** All processes of the server to Redis. */
  readonly redis: TcpFaultProxy;
  /** Everybody to the S3 storage. */
  readonly s3: TcpFaultProxy;
}

/**
 * The product (two APIs, two workers, an agent) with every link on a fault proxy, its disks small where this user may mount one, and an S3 storage
 * beside the server's own disk. All cases of a run share one: each must leave it as it found it, and `heal` helps.
 */
export interface FaultWorld extends World {
  readonly links: Links;
  /** What S3 answers; behind the link. */
  readonly s3Faults: S3FaultProxy;
  readonly s3Storage: StorageView;
  readonly s3: { readonly server: PrivateS3; readonly bucket: string; readonly backend: S3Backend };
  /** Under the server's own disk storage; undefined where none could be mounted. */
  readonly storageDisk: SmallDisk | undefined;
  /** Under the data of the server's PostgreSQL. */
  readonly postgresDisk: SmallDisk | undefined;
  /** A folder of the test's own, below none of the product's. */
  readonly folder: string;
  /** Holds the recovery identity. */
  readonly identityPath: string;
  /** Something worth keeping in the record of the case that runs. */
  note(text: string): void;
  takeNotes(): readonly string[];
  /** Every link, disk, server and process as it was; resolves when the agent is online and the API ready. */
  heal(): Promise<void>;
}

/** Room for all backups that the cases of one run leave behind. */
const STORAGE_DISK_MB = 512;
const POSTGRES_DISK_MB = 320;
/** Longer than it takes to notice that a worker stands still (20 s), as in production, where it is 15 minutes. */
export const LEASE_MS = 30_000;
/** What was committed is there after a kill, as in production; only a power cut could take it. */
const KEEPS_COMMITS = { synchronous_commit: 'on', full_page_writes: 'on' };
/** Fifty requests at once on a busy machine must not look like an agent that has gone. */
export const OFFLINE_AFTER_MS = 6_000;
/** Short enough to see an address expire. */
const UPLOAD_URL_SECONDS = 10;

interface Disks {
  readonly storage: SmallDisk | undefined;
  readonly postgres: SmallDisk | undefined;
}

async function mountDisks(home: string): Promise<Disks> {
  const postgresHome = join(home, 'postgres');
  const postgres = mountSmallDisk(postgresHome, POSTGRES_DISK_MB, 'a server whose database disk is full');
  const storageRoot = join(home, 'server', 'storage');
  await mkdir(storageRoot, { recursive: true });
  return { postgres, storage: mountSmallDisk(storageRoot, STORAGE_DISK_MB, 'a server whose storage disk is full') };
}

/** The port of the API is known only when the API has started. */
interface Late {
  apiPort: number;
}

/** What was started, ended in reverse. */
class Started {
  private readonly ends: (() => Promise<void> | void)[] = [];

  endsWith(end: () => Promise<void> | void): void {
    this.ends.push(end);
  }

  async link(target: number | (() => number)): Promise<TcpFaultProxy> {
    const link = await startTcpFaultProxy(target);
    this.endsWith(() => link.stop());
    return link;
  }

  async end(): Promise<void> {
    for (const end of this.ends.splice(0).reverse()) await end();
  }
}

interface Place {
  readonly home: string;
  readonly disks: Disks;
  readonly started: Started;
}

async function startLinkedWorld({ home, disks, started }: Place): Promise<{ world: World; links: Omit<Links, 's3'> }> {
  const late: Late = { apiPort: 0 };
  const api = await started.link(() => late.apiPort);
  const own: Partial<Record<'postgres' | 'redis', TcpFaultProxy>> = {};
  const url = `http://127.0.0.1:${api.port}`;
  const world = await startWorld({
    apis: 2,
    workers: 2,
    home: join(home, 'server'),
    postgres: { settings: KEEPS_COMMITS, ...(disks.postgres ? { home: disks.postgres.path } : {}) },
    env: {
      PUBLIC_URL: url,
      UPLOAD_URL_SECONDS: String(UPLOAD_URL_SECONDS),
      LEASE_MS: String(LEASE_MS),
      AGENT_OFFLINE_AFTER_MS: String(OFFLINE_AFTER_MS),
    },
    through: async (server, port) => {
      own[server] = await started.link(port);
      return own[server].port;
    },
    dial: (apiUrl) => {
      late.apiPort = Number(new URL(apiUrl).port);
      return url;
    },
  });
  started.endsWith(() => world.stop());
  const { postgres, redis } = own;
  if (!postgres || !redis) throw new Error('The links were not made');
  return { world, links: { api, postgres, redis } };
}

type OpenedS3 = Pick<FaultWorld, 's3' | 's3Faults' | 's3Storage'> & { readonly link: TcpFaultProxy };

async function openS3(world: World, started: Started): Promise<OpenedS3> {
  const server = await startRgw();
  started.endsWith(() => server.stop());
  const s3Faults = await startS3FaultProxy(server.endpoint);
  started.endsWith(() => s3Faults.stop());
  const link = await started.link(Number(new URL(s3Faults.endpoint).port));
  const bucket = await server.createBucket();
  const s3Storage = await world.person.call<StorageView>('POST', '/v1/storages', {
    storageType: 's3',
    name: 'Bucket',
    s3Endpoint: `http://127.0.0.1:${link.port}`,
    s3Region: server.region,
    s3Bucket: bucket,
    s3AccessKeyId: server.accessKeyId,
    s3SecretAccessKey: server.secretAccessKey,
    s3ForcePathStyle: true,
  });
  return { s3: { server, bucket, backend: new S3Backend({ ...server, bucket }) }, s3Faults, s3Storage, link };
}

async function heal(world: FaultWorld): Promise<void> {
  const { links, server } = world;
  for (const disk of [world.storageDisk, world.postgresDisk]) disk?.free();
  world.s3Faults.reset();
  for (const link of Object.values(links) as TcpFaultProxy[]) link.heal();
  await server.postgres.start();
  if (server.redis.pid() === 0) await server.redis.restart();
  for (const process of [...server.apis, ...server.workers, world.agent.daemon]) await process.start();
  await Promise.all(server.apis.map((_, index) => server.waitReady(index)));
  await waitOnline(world.person, 'agent-1');
}

async function openWorld(place: Place): Promise<FaultWorld> {
  const { home, disks, started } = place;
  const { world, links } = await startLinkedWorld(place);
  const { link, ...s3 } = await openS3(world, started);
  const identityPath = join(home, 'identity.txt');
  await writeFile(identityPath, `${world.recovery.identity}\n`, { mode: 0o600 });
  await watchRows(world.server);
  let notes: string[] = [];
  const all: Links = { ...links, s3: link };
  const faultWorld: FaultWorld = {
    ...world,
    ...s3,
    links: all,
    storageDisk: disks.storage,
    postgresDisk: disks.postgres,
    folder: home,
    identityPath,
    note: (text) => void notes.push(text),
    takeNotes() {
      const taken = notes;
      notes = [];
      return taken;
    },
    heal: () => heal(faultWorld),
    stop() {
      for (const one of Object.values(all) as TcpFaultProxy[]) one.heal();
      return started.end();
    },
  };
  return faultWorld;
}

/** @throws Error when a part of it does not start; nothing is left then */
export async function startFaultWorld(): Promise<FaultWorld> {
  const started = new Started();
  const home = await tempDir('rahatback-faults-', 0o755);
  started.endsWith(() => home.remove());
  try {
    const disks = await mountDisks(home.path);
    started.endsWith(() => {
      disks.storage?.unmount();
      disks.postgres?.unmount();
    });
    return await openWorld({ home: home.path, disks, started });
  } catch (error) {
    await started.end();
    throw error;
  }
}
