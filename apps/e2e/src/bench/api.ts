import { randomBytes } from 'node:crypto';
import { renderTable } from '../demo/table.js';
import { sayLine } from '../demo/watch.js';
import { RestClient } from '../system/rest-client.js';
import { startServerSide, type ServerSide } from '../system/server-side.js';
import { ApiCaller, KINDS, requestMix, type ApiRequest } from './api-requests.js';
import { fillHistory, OTHER_SHARE, OTHER_WORKSPACES, type ApiRows } from './api-rows.js';
import type { Cleanup } from './bench-world.js';
import { sayLoad } from './machine.js';
import { openLoop, type ShotResult } from './open-loop.js';
import type { BenchOptions } from './options.js';
import { ProcessMeter } from './process-meter.js';
import { percentile, rounded } from './statistics.js';

const WARM_UP_SECONDS = 10;
const SEED = 20_261_120;

async function signUp(server: ServerSide): Promise<{ person: RestClient; workspaceId: string }> {
  const person = new RestClient(server.url);
  const password = randomBytes(12).toString('base64url');
  const account = { email: 'owner@bench.example', password, name: 'Bench Owner', workspaceName: 'Bench' };
  const { user } = await person.register(account);
  return { person, workspaceId: user.workspaceId };
}

async function filled(server: ServerSide, workspaceId: string, rows: number): Promise<ApiRows> {
  sayLine(
    `Writing ${rows} backups of one workspace and ${Math.ceil(rows / OTHER_SHARE)} of each of ${OTHER_WORKSPACES} others …`,
  );
  const start = performance.now();
  const made = await fillHistory(server.postgres.url(server.databaseName), workspaceId, rows);
  sayLine(`  ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return made;
}

const cells = (name: string, results: readonly ShotResult<ApiRequest>[]): string[] => {
  const latencies = results.map(({ latencyMs }) => latencyMs);
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => percentile(latencies, share).toFixed(1));
  const failed = results.filter(({ ok }) => !ok).length;
  return [name, String(results.length), p50 ?? '', p99 ?? '', max ?? '', String(failed)];
};

function sayResults(results: readonly ShotResult<ApiRequest>[]): void {
  const kinds = KINDS.flatMap(([, name]) => {
    const own = results.filter(({ shot }) => shot.name === name);
    return own.length === 0 ? [] : [cells(name, own)];
  });
  const rows = [...kinds, cells('all', results)];
  sayLine(renderTable(['', 'requests', 'p50 ms', 'p99 ms', 'max ms', 'errors'], rows, [1, 2, 3, 4, 5]));
}

/** Requests at an even rate against one API process over a long history. @returns what the last line says */
export async function benchApi({ rows, rate, seconds, profileDir }: BenchOptions, cleanups: Cleanup[]): Promise<object> {
  // All requests come from one address: the limit for one is raised, and nothing else is set.
  const env: Record<string, string> = { REQUESTS_PER_MINUTE: '1000000' };
  if (profileDir !== null) env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${profileDir}`;
  const server = await startServerSide({ env });
  cleanups.push(() => server.stop());
  const { person, workspaceId } = await signUp(server);
  const made = await filled(server, workspaceId, rows);
  sayLoad();
  const caller = new ApiCaller(server.url, person.token);
  cleanups.push(() => Promise.resolve(caller.close()));
  const next = requestMix(made, SEED);
  const send = (asked: ApiRequest): Promise<boolean> => caller.send(asked);
  await openLoop({ perSecond: rate, seconds: WARM_UP_SECONDS, next, send });
  caller.failures.clear();
  const [api, postgres] = [server.apis.map(({ pid }) => pid), [server.postgres.pid()]].map((pids) => new ProcessMeter(pids));
  const start = performance.now();
  const results = await openLoop({ perSecond: rate, seconds, next, send });
  const wallSeconds = (performance.now() - start) / 1000;
  const [apiUsage, postgresUsage] = [api?.stop(), postgres?.stop()];
  sayResults(results);
  for (const [name, words] of caller.failures) sayLine(`  ${name}: ${words}`);
  const latencies = results.map(({ latencyMs }) => latencyMs);
  return {
    rows,
    otherRows: Math.ceil(rows / OTHER_SHARE) * OTHER_WORKSPACES,
    rps: rate,
    answeredPerSecond: rounded(results.length / wallSeconds, 1),
    seconds,
    p50Ms: rounded(percentile(latencies, 0.5), 1),
    p99Ms: rounded(percentile(latencies, 0.99), 1),
    maxMs: rounded(percentile(latencies, 1), 1),
    errors: results.filter(({ ok }) => !ok).length,
    apiCpuSeconds: rounded(apiUsage?.cpuSeconds ?? 0, 1),
    postgresCpuSeconds: rounded(postgresUsage?.cpuSeconds ?? 0, 1),
  };
}
