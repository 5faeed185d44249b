import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type {
  BackupDetailView,
  ConnectionTestAnswer,
  DatabaseView,
  JobView,
  RestoreAnswer,
  RestoreView,
  RunAnswer,
  StorageView,
  VerificationView,
  VerifyAnswer,
} from '@rahatback/contracts';
import { AgentSide, waitOnline } from '../system/agent-side.js';
import { RestClient } from '../system/rest-client.js';
import { startServerSide, type ServerSide } from '../system/server-side.js';
import { makeCustomerDatabase, type CustomerDatabase } from './customer-database.js';
import type { DemoOptions } from './options.js';
import { openDemoStorage, type DemoStorage } from './demo-storage.js';
import { report, type DemoResult } from './report.js';
import { tableDigests } from './table-digests.js';
import { openLive, sayLine, waitEnded } from './watch.js';

const RUN_TIMEOUT_MS = 20 * 60_000;

interface World {
  readonly server: ServerSide;
  readonly customer: CustomerDatabase;
  readonly storage: DemoStorage;
  readonly person: RestClient;
  readonly agent: AgentSide;
  readonly account: { email: string; password: string };
}

async function signUp(server: ServerSide, agent: AgentSide): Promise<{ person: RestClient; account: World['account'] }> {
  const kitPath = join(server.home, 'recovery-kit.txt');
  await agent.mustRun(['recovery-key', '--out', kitPath, '--workspace-name', 'Demo']);
  const recipient = /age1[0-9a-z]+/.exec(await agent.mustRun(['recovery-key', '--show-recipient', kitPath]))?.[0];
  if (!recipient) throw new Error('The agent printed no recovery recipient');
  const person = new RestClient(server.url);
  const account = { email: 'owner@demo.example', password: randomBytes(12).toString('base64url') };
  await person.register({ ...account, name: 'Demo Owner', workspaceName: 'Demo', recoveryRecipient: recipient });
  sayLine(`  recovery kit      ${kitPath} (print it; the server never sees it)`);
  return { person, account };
}

async function backUp(world: World, database: DatabaseView, storage: StorageView): Promise<BackupDetailView> {
  const { person } = world;
  const job = await person.call<JobView>('POST', '/v1/backups/jobs', {
    databaseId: database.id,
    name: 'Demo, by hand',
    scheduleType: 'manual',
    backupType: 'full',
    compression: 'zstd',
    isEncrypted: true,
    encryptionPassword: randomBytes(15).toString('base64url'),
    storageType: storage.storageType,
    cloudStorageId: storage.id,
  });
  const run = await person.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`);
  if (!run.success) throw new Error(`The backup did not start: ${run.message}`);
  const backup = await waitEnded<BackupDetailView>(person, `/v1/backups/history/${run.historyId}`, RUN_TIMEOUT_MS);
  if (backup.status !== 'success')
    throw new Error(`The backup ended ${backup.status}: ${backup.errorCode ?? ''} ${backup.errorMessage ?? ''}`);
  return backup;
}

async function restoreBeside(person: RestClient, backup: BackupDetailView): Promise<RestoreView> {
  const answer = await person.call<RestoreAnswer>('POST', `/v1/backups/history/${backup.id}/restore`, {});
  const restore = await waitEnded<RestoreView>(person, `/v1/restores/${answer.restoreHistoryId}`, RUN_TIMEOUT_MS);
  if (restore.status !== 'success')
    throw new Error(`The restore ended ${restore.status}: ${restore.errorCode ?? ''} ${restore.errorMessage ?? ''}`);
  return restore;
}

/** A real restore into a server that the agent starts for it; skipped, with the reason, where the machine has no server programs. */
async function prove(person: RestClient, backup: BackupDetailView): Promise<VerificationView> {
  const path = `/v1/backups/history/${backup.id}/verify`;
  const { verificationId } = await person.call<VerifyAnswer>('POST', path, { verificationLevel: 'FULL' });
  return waitEnded<VerificationView>(person, `/v1/verifications/${verificationId}`, RUN_TIMEOUT_MS);
}

async function mainJob(world: World): Promise<DemoResult> {
  const { person, customer, storage } = world;
  const connection = { ...customer.connection, agentId: (await waitOnline(person, 'demo-agent')).id };
  const test = await person.call<ConnectionTestAnswer>('POST', '/v1/databases/test-connection', connection);
  if (!test.success) throw new Error(`The connection test failed: ${test.code ?? ''} ${test.message ?? ''}`);
  sayLine(
    `  connection test   PostgreSQL ${test.serverVersion ?? '?'} in ${Math.round(test.latencyMs ?? 0)} ms, client ${test.clientTool ?? '?'}`,
  );
  const stored = await person.call<StorageView>('POST', '/v1/storages', storage.create);
  const database = await person.call<DatabaseView>('POST', '/v1/databases', { name: 'Demo shop', ...connection });
  const live = openLive(person);
  try {
    sayLine('Backing up (zstd, encrypted) …');
    const backup = await backUp(world, database, stored);
    sayLine('Restoring beside the original …');
    const restore = await restoreBeside(person, backup);
    sayLine('Comparing every table, twice: by the product and by the database itself …');
    const [before, after] = [await tableDigests(customer.url()), await tableDigests(customer.url(restore.targetDatabase))];
    sayLine('Proving the backup in a throw-away server …');
    const verification = await prove(person, backup);
    return { backup, restore, verification, before, after, progressEvents: live.counts.progress };
  } finally {
    live.close();
  }
}

async function build(options: DemoOptions, cleanups: (() => Promise<void>)[]): Promise<World> {
  const storage = await openDemoStorage(options.s3);
  cleanups.push(() => storage.stop());
  sayLine('Starting PostgreSQL, Redis, API and worker …');
  const server = await startServerSide({ env: { LOG_LEVEL: 'info', HEARTBEAT_INTERVAL_MS: '5000' } });
  cleanups.push(() => server.stop());
  sayLine(`Making a customer database of ${options.targetMb} MB …`);
  const customer = await makeCustomerDatabase(options.targetMb);
  cleanups.push(() => customer.stop());
  const agent = new AgentSide({ name: 'demo-agent', home: join(server.home, 'agent'), logDir: server.logDir });
  const { person, account } = await signUp(server, agent);
  const enrolled = await agent.enrol(person, server.url);
  const words = /fingerprint:?\s+([a-z]+(?:[ -][a-z]+){5})/i.exec(enrolled)?.[1];
  sayLine(`  agent             enrolled, fingerprint ${words ?? '(see the log)'}`);
  await agent.daemon.start();
  cleanups.push(() => agent.daemon.stop());
  return { server, customer, storage, person, agent, account };
}

function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

/** Runs the main job from nothing. @returns the exit code: 0 only if every table is equal */
export async function runDemo(options: DemoOptions): Promise<number> {
  const cleanups: (() => Promise<void>)[] = [];
  let world: World | undefined;
  let code = 1;
  try {
    world = await build(options, cleanups);
    const verdict = report(await mainJob(world));
    sayLine(verdict.text);
    if (!options.check) {
      sayLine(
        `\nThe demo stays up until you press Ctrl-C.\n  ${world.server.url}/docs\n  log in as ${world.account.email} with password ${world.account.password}\n  logs in ${world.server.logDir}`,
      );
      await untilInterrupted();
    }
    code = verdict.ok ? 0 : 1;
    if (options.check) sayLine(verdict.json);
  } catch (error) {
    sayLine(error instanceof Error ? error.message : String(error));
    if (world) sayLine(`Agent log ends:\n${world.agent.daemon.log().slice(-2000)}`);
    if (options.check)
      sayLine(JSON.stringify({ ok: false, tables: 0, tablesEqual: 0, backupSeconds: null, restoreSeconds: null }));
  } finally {
    for (const cleanup of cleanups.reverse())
      await cleanup().catch((error: unknown) => sayLine(`While cleaning up: ${String(error)}`));
  }
  return code;
}
