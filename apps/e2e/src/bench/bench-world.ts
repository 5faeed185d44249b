import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type {
  BackupDetailView,
  CreateJobDto,
  DatabaseView,
  JobView,
  RestoreAnswer,
  RestoreView,
  RunAnswer,
  StorageView,
} from '@rahatback/contracts';
import { generateRecoveryIdentity } from '@rahatback/crypto';
import { startRgw, waitFor, type PrivateS3 } from '@rahatback/testing';
import { makeCustomerDatabase, type CustomerDatabase } from '../demo/customer-database.js';
import { sayLine } from '../demo/watch.js';
import { AgentSide, waitOnline } from '../system/agent-side.js';
import { RestClient } from '../system/rest-client.js';
import { startServerSide, type ServerSide } from '../system/server-side.js';
import { ProcessMeter, type Usage } from './process-meter.js';

const RUN_TIMEOUT_MS = 60 * 60_000;
/** Seldom: each look costs the measured server processor time. */
const POLL_MS = 250;

export interface WorldOptions {
  readonly mb: number;
  readonly profileDir: string | null;
  /** Extra environment of the agent. */
  readonly agentEnv?: Readonly<Record<string, string>>;
}

/** The real product on real servers, one owner, one agent, one S3 storage, and the customer's database. */
export interface BenchWorld {
  readonly s3: PrivateS3;
  readonly bucket: string;
  readonly customer: CustomerDatabase;
  readonly server: ServerSide;
  readonly person: RestClient;
  readonly agent: AgentSide;
  readonly database: DatabaseView;
  readonly storage: StorageView;
  /** A process that remembers nothing of earlier runs. */
  restartAgent(): Promise<void>;
}

export type Cleanup = () => Promise<void>;

/** What one operation of the product cost. */
export interface ProductRun<View> extends Usage {
  readonly view: View;
  /** From the request to the moment that the row gives as its end, by the one clock of this machine. */
  readonly wallSeconds: number;
  /** API and worker processes, whose data path S3 storage does not pass. */
  readonly server: Usage;
}

async function addStorage(person: RestClient, s3: PrivateS3, bucket: string): Promise<StorageView> {
  return person.call<StorageView>('POST', '/v1/storages', {
    storageType: 's3',
    name: 'Private S3 server',
    isDefault: true,
    s3Endpoint: s3.endpoint,
    s3Region: s3.region,
    s3Bucket: bucket,
    s3AccessKeyId: s3.accessKeyId,
    s3SecretAccessKey: s3.secretAccessKey,
    s3ForcePathStyle: true,
  });
}

/** Starts everything; what started is in `cleanups`, to be run in reverse order, also when this throws. */
export async function startBenchWorld(options: WorldOptions, cleanups: Cleanup[]): Promise<BenchWorld> {
  const s3 = await startRgw();
  cleanups.push(() => s3.stop());
  const bucket = await s3.createBucket('rahatback');
  const server = await startServerSide({ env: { REQUESTS_PER_MINUTE: '100000' } });
  cleanups.push(() => server.stop());
  sayLine(`Making a customer database of ${options.mb} MiB …`);
  const customer = await makeCustomerDatabase(options.mb);
  cleanups.push(() => customer.stop());
  const env: Record<string, string> = { ...options.agentEnv };
  if (options.profileDir !== null) env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${options.profileDir}`;
  const agent = new AgentSide({ name: 'bench-agent', home: join(server.home, 'agent'), logDir: server.logDir, env });
  const recovery = await generateRecoveryIdentity();
  const person = new RestClient(server.url);
  const account = { email: 'owner@bench.example', password: randomBytes(12).toString('base64url'), name: 'Bench Owner' };
  await person.register({ ...account, workspaceName: 'Bench', recoveryRecipient: recovery.recipient });
  await agent.enrol(person, server.url);
  await agent.daemon.start();
  cleanups.push(() => agent.daemon.stop());
  const { id: agentId } = await waitOnline(person, 'bench-agent');
  const connection = { name: 'Bench shop', ...customer.connection, agentId };
  const database = await person.call<DatabaseView>('POST', '/v1/databases', connection);
  const storage = await addStorage(person, s3, bucket);
  const restartAgent = async (): Promise<void> => {
    await agent.daemon.stop();
    await agent.daemon.start();
    await waitOnline(person, 'bench-agent');
  };
  return { s3, bucket, customer, server, person, agent, database, storage, restartAgent };
}

/** A job with zstd and a passphrase on the S3 storage. */
export function makeJob({ person, database, storage }: BenchWorld, fields: Partial<CreateJobDto> = {}): Promise<JobView> {
  return person.call<JobView>('POST', '/v1/backups/jobs', {
    databaseId: database.id,
    name: `Bench ${randomBytes(4).toString('hex')}`,
    scheduleType: 'manual',
    backupType: 'full',
    compression: 'zstd',
    isEncrypted: true,
    encryptionPassword: randomBytes(15).toString('base64url'),
    storageType: storage.storageType,
    cloudStorageId: storage.id,
    ...fields,
  });
}

interface Ended {
  readonly status: string;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly completedAt: string | null;
}

async function measured<View extends Ended>(world: BenchWorld, begin: () => Promise<string>): Promise<ProductRun<View>> {
  const agentMeter = new ProcessMeter([world.agent.daemon.pid]);
  const serverMeter = new ProcessMeter([...world.server.apis, ...world.server.workers].map(({ pid }) => pid));
  try {
    const startMs = Date.now();
    const path = await begin();
    const ended = async (): Promise<View | undefined> => {
      const row = await world.person.call<View>('GET', path);
      return row.status === 'running' ? undefined : row;
    };
    const view = await waitFor(ended, { timeoutMs: RUN_TIMEOUT_MS, pollMs: POLL_MS, describe: `${path} to end` });
    if (view.status !== 'success' || view.completedAt === null)
      throw new Error(`${path} ended ${view.status}: ${view.errorCode} ${view.errorMessage}`);
    return {
      view,
      wallSeconds: (Date.parse(view.completedAt) - startMs) / 1000,
      ...agentMeter.stop(),
      server: serverMeter.stop(),
    };
  } finally {
    agentMeter.stop();
    serverMeter.stop();
  }
}

/** Runs the job once, from the request to `success`. @throws Error when it ends otherwise */
export const backUp = (world: BenchWorld, job: JobView): Promise<ProductRun<BackupDetailView>> =>
  measured(world, async () => {
    const run = await world.person.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`);
    if (!run.success) throw new Error(`The backup did not start: ${run.message}`);
    return `/v1/backups/history/${run.historyId}`;
  });

/** Restores beside the original, every table compared as the product always does. @throws Error when it does not succeed */
export const restore = (world: BenchWorld, backupId: string): Promise<ProductRun<RestoreView>> =>
  measured(world, async () => {
    const { restoreHistoryId } = await world.person.call<RestoreAnswer>('POST', `/v1/backups/history/${backupId}/restore`, {});
    return `/v1/restores/${restoreHistoryId}`;
  });
