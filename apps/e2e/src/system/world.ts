import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { AgentView, CreateJobDto, DatabaseView, JobView, StorageView } from '@rahatback/contracts';
import { generateRecoveryIdentity, type RecoveryIdentity } from '@rahatback/crypto';
import { startPostgres, testSecret, type PrivatePostgres } from '@rahatback/testing';
import { AgentSide, waitOnline } from './agent-side.js';
import { RestClient } from './rest-client.js';
import { startServerSide, type ServerSide, type ServerSideOptions } from './server-side.js';

/** Times short enough for tests; the lease is the 10 s of the crash tests. */
export const TEST_TIMES = {
  HEARTBEAT_INTERVAL_MS: '500',
  AGENT_OFFLINE_AFTER_MS: '3000',
  LEASE_MS: '10000',
  WATCHDOG_INTERVAL_MS: '500',
  OUTBOX_INTERVAL_MS: '500',
  REGISTRATIONS_PER_HOUR: '1000',
  REQUESTS_PER_MINUTE: '100000',
} as const;

export const TEST_PASSWORD = testSecret('person-password');

export interface WorldOptions extends ServerSideOptions {
  /** Rows of the customer's main table, about 250 bytes each. Default 20,000 (a dump of about 5 MB). */
  readonly rows?: number;
  /** Password of the customer's database role. */
  readonly databasePassword?: string;
  /** Password of the owner. */
  readonly personPassword?: string;
  /** Sees every answer of the API to the owner: path, then body. */
  readonly onAnswer?: (path: string, body: string) => void;
  /** Where the agent dials, given the first API's URL. Default: that URL. */
  readonly dial?: (url: string) => string;
}

export interface World {
  readonly server: ServerSide;
  readonly customer: PrivatePostgres;
  readonly customerDatabase: string;
  readonly person: RestClient;
  readonly workspaceId: string;
  readonly recovery: RecoveryIdentity;
  readonly agent: AgentSide;
  readonly agentView: AgentView;
  readonly database: DatabaseView;
  readonly storage: StorageView;
  makeJob(fields?: Partial<CreateJobDto>): Promise<JobView>;
  stop(): Promise<void>;
}

const ROLE = 'yedek';
const DATABASE = 'siparisler';

const SCHEMA = `
  CREATE TABLE musteri (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ad text NOT NULL, ek jsonb);
  CREATE TABLE siparis (id bigint PRIMARY KEY, musteri_id bigint REFERENCES musteri, tutar numeric(12,2), notlar text, dosya bytea);
  CREATE TABLE bos (id int);`;

async function makeCustomer(rows: number, password: string): Promise<PrivatePostgres> {
  const customer = await startPostgres();
  await customer.query(`CREATE ROLE ${ROLE} LOGIN SUPERUSER PASSWORD '${password}'`);
  await customer.query(`CREATE DATABASE ${DATABASE} OWNER ${ROLE} TEMPLATE template0`);
  const run = (sql: string): Promise<unknown[][]> => customer.query(sql, { database: DATABASE });
  for (const statement of SCHEMA.split(';').filter((text) => text.trim() !== '')) await run(statement);
  await run(
    `INSERT INTO musteri (ad, ek) SELECT 'Müşteri ' || i, jsonb_build_object('şehir', 'İzmir', 'n', i) FROM generate_series(1, 500) i`,
  );
  await run(`INSERT INTO siparis SELECT i, 1 + i % 500, i * 1.25, md5(i::text) || md5((i * 7)::text) || 'ğüşiöç', decode(md5(i::text) || md5((i + 1)::text), 'hex')
             FROM generate_series(1, ${rows}) i`);
  return customer;
}

async function signUp(
  server: ServerSide,
  recipient: string,
  options: WorldOptions,
): Promise<{ person: RestClient; workspaceId: string }> {
  const person = new RestClient(server.url, options.onAnswer);
  const { user } = await person.register({
    email: `owner-${randomBytes(4).toString('hex')}@test.example`,
    password: options.personPassword ?? TEST_PASSWORD,
    name: 'Owner',
    recoveryRecipient: recipient,
  });
  return { person, workspaceId: user.workspaceId };
}

async function startAgent(
  server: ServerSide,
  person: RestClient,
  dial: string,
): Promise<{ agent: AgentSide; agentView: AgentView }> {
  const agent = new AgentSide({ name: 'agent-1', home: join(server.home, 'agent-1'), logDir: server.logDir });
  await agent.enrol(person, dial);
  await agent.daemon.start();
  return { agent, agentView: await waitOnline(person, 'agent-1') };
}

function addDatabase(person: RestClient, agentId: string, customer: PrivatePostgres, password: string): Promise<DatabaseView> {
  const { host, port } = customer;
  const place = { host, port, username: ROLE, password, database: DATABASE, tlsMode: 'disable' };
  return person.call('POST', '/v1/databases', { name: 'Siparişler', type: 'postgresql', ...place, agentId });
}

/** A running product with one owner, one agent online, one database and the server's disk as storage. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const server = await startServerSide({ ...options, env: { ...TEST_TIMES, ...options.env } });
  try {
    return await inhabit(server, options);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function inhabit(server: ServerSide, options: WorldOptions): Promise<World> {
  const password = options.databasePassword ?? testSecret('database', { fresh: true });
  const customer = await makeCustomer(options.rows ?? 20_000, password);
  const recovery = await generateRecoveryIdentity();
  const { person, workspaceId } = await signUp(server, recovery.recipient, options);
  const { agent, agentView } = await startAgent(server, person, options.dial?.(server.url) ?? server.url);
  const database = await addDatabase(person, agentView.id, customer, password);
  const storage = await person.call<StorageView>('POST', '/v1/storages', {
    storageType: 'local',
    name: 'Server disk',
    isDefault: true,
  });
  let jobs = 0;
  const makeJob = (fields: Partial<CreateJobDto> = {}): Promise<JobView> => {
    jobs += 1;
    const base = { databaseId: database.id, name: `Job ${jobs}`, storageType: storage.storageType, cloudStorageId: storage.id };
    return person.call<JobView>('POST', '/v1/backups/jobs', { ...base, ...fields });
  };
  const stop = async (): Promise<void> => {
    await agent.daemon.stop();
    await server.stop();
    await customer.stop();
  };
  return {
    server,
    customer,
    customerDatabase: DATABASE,
    person,
    workspaceId,
    recovery,
    agent,
    agentView,
    database,
    storage,
    makeJob,
    stop,
  };
}
