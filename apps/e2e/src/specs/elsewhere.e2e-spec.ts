import { join } from 'node:path';
import type {
  AgentView,
  BackupDetailView,
  BackupKeysView,
  DatabaseView,
  JobView,
  PreflightAnswer,
  RestoreAnswer,
  RestoreView,
  RunAnswer,
} from '@rahatback/contracts';
import { openWithAgeIdentity, parseKeysFile, sealSecret } from '@rahatback/crypto';
import { waitEnded } from '../demo/watch.js';
import { AgentSide, waitOnline } from '../system/agent-side.js';
import { startWorld, type World } from '../system/world.js';
import { testSecret } from '@rahatback/testing';

const TIMEOUT_MS = 120_000;

/** Two real agents and the real server: a backup of the one, wanted by the other; then the first is lost. */
describe('a backup on another agent', () => {
  let world: World;
  let second: AgentSide;
  let secondView: AgentView;
  let other: DatabaseView;
  let job: JobView;
  let backup: BackupDetailView;
  const password = testSecret('database', { fresh: true });

  beforeAll(async () => {
    world = await startWorld({ databasePassword: password, rows: 5_000 });
    second = new AgentSide({ name: 'agent-2', home: join(world.server.home, 'agent-2'), logDir: world.server.logDir });
    await second.enrol(world.person, world.server.url);
    await second.daemon.start();
    secondView = await waitOnline(world.person, 'agent-2');
    const { host, port } = world.customer;
    const place = { host, port, username: 'yedek', password, database: world.customerDatabase, tlsMode: 'disable' };
    const fields = { name: 'Elsewhere', type: 'postgresql', ...place, agentId: secondView.id };
    other = await world.person.call<DatabaseView>('POST', '/v1/databases', fields);
    job = await world.makeJob({ backupType: 'incremental' });
    backup = await backUp();
  }, 180_000);
  afterAll(async () => {
    await second?.daemon.stop();
    await world?.stop();
  }, 60_000);

  async function backUp(): Promise<BackupDetailView> {
    const { historyId } = await world.person.call<RunAnswer>('POST', `/v1/backups/jobs/${job.id}/run`);
    const ended = await waitEnded<BackupDetailView>(world.person, `/v1/backups/history/${historyId}`, TIMEOUT_MS);
    expect([ended.status, ended.errorMessage]).toEqual(['success', null]);
    return ended;
  }
  async function restore(targetDatabase: string, fields: object = {}): Promise<RestoreView> {
    const body = { targetDatabaseId: other.id, targetDatabase, ...fields };
    const { restoreHistoryId } = await world.person.call<RestoreAnswer>('POST', `/v1/backups/history/${backup.id}/restore`, body);
    return waitEnded<RestoreView>(world.person, `/v1/restores/${restoreHistoryId}`, TIMEOUT_MS);
  }
  const preflight = (): Promise<PreflightAnswer> =>
    world.person.call('POST', `/v1/backups/history/${backup.id}/restore/preflight`, { targetDatabaseId: other.id });
  const rows = async (database: string): Promise<unknown> =>
    (await world.customer.query('SELECT count(*)::int FROM siparis', { database }))[0]?.[0];

  it(
    'is restored there only when a person has trusted each agent on the machine of the other',
    async () => {
      const untrusted = await restore('never');
      expect([untrusted.status, untrusted.errorCode]).toEqual(['failed', 'AGENT_POLICY_REFUSED']);
      const line = /rahatback-agent (trust [a-z ]+)$/.exec(untrusted.errorMessage ?? '')?.[1] ?? '';
      expect(line).toBe(`trust ${secondView.fingerprint}`);
      expect((await preflight()).findings).toEqual([expect.objectContaining({ subject: 'key', severity: 'blocker' })]);
      await world.agent.mustRun(line.split(' '));
      const unbelieved = await restore('never');
      expect([unbelieved.status, unbelieved.errorCode]).toEqual(['failed', 'AGENT_POLICY_REFUSED']);
      expect(unbelieved.errorMessage).toContain(`rahatback-agent trust ${world.agentView.fingerprint}`);
      await second.mustRun(['trust', ...world.agentView.fingerprint.split(' '), '--label', 'first box']);
      const asked = await preflight();
      expect(asked.findings.filter(({ severity }) => severity === 'blocker')).toEqual([]);
      expect(asked.ready).toBe(true);
      const done = await restore('siparisler_elsewhere');
      expect([done.status, done.errorMessage]).toEqual(['success', null]);
      expect(done.tablesEqual).toBe(done.tablesTotal);
      expect(await rows('siparisler_elsewhere')).toBe(5_000);
      process.stdout.write(
        `restored by another agent with a handed-over key: ${done.tablesEqual ?? 0} tables equal in ${done.durationMs ?? 0} ms\n`,
      );
    },
    TIMEOUT_MS,
  );

  it(
    'is restored with the recovery identity when its agent is lost, and the database goes on with the other one',
    async () => {
      await world.agent.daemon.stop();
      const keys = await world.person.call<BackupKeysView>(
        'GET',
        `/v1/backups/history/${backup.id}/keys?targetDatabaseId=${other.id}`,
      );
      const dek = await openWithAgeIdentity(parseKeysFile(Buffer.from(keys.keysFile)), world.recovery.identity);
      const plaintext = dek.toString('base64');
      const sealedKey = await sealSecret({ ...keys.binding, recipientPublicKey: keys.receiver.sealPublicKey, plaintext });
      const done = await restore('siparisler_recovered', { sealedKey });
      expect([done.status, done.errorMessage]).toEqual(['success', null]);
      expect(done.tablesEqual).toBe(done.tablesTotal);
      expect(await rows('siparisler_recovered')).toBe(5_000);

      const moved = await world.person.call<DatabaseView>('POST', `/v1/databases/${world.database.id}/rebind`, {
        agentId: secondView.id,
        password,
      });
      expect(moved.agentId).toBe(secondView.id);
      const next = await backUp();
      expect(next.backupType).toBe('full');
      const link = await backUp();
      expect(link.backupType).toBe('incremental');
      process.stdout.write('after a rebind: the next backup was a full one of the new agent, the one after it an incremental\n');
    },
    TIMEOUT_MS,
  );
});
