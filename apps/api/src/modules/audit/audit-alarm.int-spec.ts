import { Writable } from 'node:stream';
import { waitFor } from '@rahatback/testing';
import { startApi } from '../../testing/start-api.js';
import type { RunningApi } from '../../testing/start-api.js';
import { AuditSweep } from './audit-sweep.service.js';
import { AuditTrail } from './audit-trail.service.js';

const WAITED = /Rows of the audit log have waited 4\d\d s for their place in the chain/;

describe('audit rows that wait for their place', () => {
  let api: RunningApi;
  const lines: string[] = [];
  const logDestination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  beforeAll(async () => {
    api = await startApi({ worker: false, logDestination, config: { logLevel: 'info' } });
  }, 60_000);
  afterAll(() => api?.stop());

  const warnings = async (): Promise<unknown> => {
    const { status, body } = await api.call('GET', '/health/ready');
    expect(status).toBe(200);
    return (body as { warnings: unknown }).warnings;
  };
  const age = async (): Promise<number> => {
    const text = await (await fetch(`${api.url}/metrics`)).text();
    return Number(/^rahatback_audit_unchained_age_seconds (\S+)$/m.exec(text)?.[1]);
  };
  const errors = (): number => lines.filter((line) => line.includes('"level":50') && WAITED.test(line)).length;

  it('are an alarm after five minutes: in readiness, in the metrics and once in the log', async () => {
    const { workspaceId } = await api.register();
    expect(await warnings()).toEqual([]);
    const written = (seconds: number): Promise<void> =>
      api.database.inWorkspace(workspaceId, async (tx) => {
        await api.app.get(AuditTrail).record(tx, { workspaceId, actor: 'system', action: `waits.${seconds}` });
      });
    await written(400);
    await api.postgres.query(
      `SET session_replication_role = replica; UPDATE audit_events SET at = now() - interval '400 s' WHERE action = 'waits.400'; RESET session_replication_role`,
    );
    expect(await warnings()).toEqual([expect.stringMatching(WAITED)]);
    expect(await warnings()).toHaveLength(1);
    expect(await age()).toBeGreaterThanOrEqual(400);
    await waitFor(() => errors() === 1, { describe: 'one line in the log' });

    await api.app.get(AuditSweep).run();
    expect(await warnings()).toEqual([]);
    expect(await age()).toBe(0);
    await waitFor(() => lines.some((line) => line.includes('The warning is over.')), { describe: 'the end in the log' });
    expect(errors()).toBe(1);
  }, 30_000);
});
