import { spawn, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DatabaseView, JobView } from '@rahatback/contracts';
import { mountSmallDisk, processFaults, testSecret, waitFor } from '@rahatback/testing';
import { AgentSide, waitOnline } from '../../system/agent-side.js';
import { mustHold, type FaultCase, type Violation } from '../fault-case.js';
import type { FaultWorld } from '../fault-world.js';
import { backupsOf, endOf, goodBackup, holdDumps, jobTo, said, startBackup } from '../operations.js';

const storageFull: FaultCase = {
  row: 24,
  title: "the server's storage disk becomes full in the middle of a backup",
  missing: (world) => (world.storageDisk ? undefined : 'no small disk could be mounted under the storage'),
  async run(world) {
    const job = await jobTo(world, 'local');
    const before = await goodBackup(world, job);
    const held = await holdDumps(world);
    try {
      const id = await startBackup(world, job);
      await held.waiting();
      world.storageDisk?.fill(200_000);
      await held.release();
      const ended = await endOf(world, id);
      world.storageDisk?.free();
      const next = await endOf(world, await startBackup(world, job));
      world.note(`"${ended.errorMessage ?? ''}"`);
      return [
        ...mustHold(ended.status === 'failed' && ended.errorCode === 'NO_SPACE', said(ended)),
        ...mustHold(before.status === 'success' && next.status === 'success', `with room again: ${said(next)}`),
      ];
    } finally {
      await held.release();
    }
  },
};

const failingSync: FaultCase = {
  row: 25,
  title: "fsync fails on the server's storage disk",
  async run(world) {
    const [api] = world.server.apis;
    if (!api) throw new Error('There is no API');
    const faults = processFaults(world.folder, 'api-sync');
    faults.prepare({});
    await api.stop();
    await api.start(faults.env);
    await world.server.waitReady(0);
    await waitOnline(world.person, 'agent-1');
    const held = await holdDumps(world);
    try {
      const id = await startBackup(world, await jobTo(world, 'local'));
      await held.waiting();
      await faults.set({ failSyncs: 2 });
      await held.release();
      const ended = await endOf(world, id);
      const failed = await faults.failedSyncs();
      const lost = ended.attempts.filter(({ state }) => state === 'failed').length;
      world.note(`${failed} failed calls, ${lost} lost attempts, the row ended ${ended.status} ${ended.errorCode ?? ''}`);
      if (failed === 0) throw new Error('No fsync was failed');
      // Whether a new attempt with new uploads then succeeds is its own affair: the checker opens what it stored.
      return mustHold(lost > 0, 'an attempt whose fsync had failed was called stored');
    } finally {
      await held.release();
      await api.stop();
    }
  },
};

interface FileCall {
  readonly name: string;
  /** Paths of the call, in its order; of a file descriptor the path that it stands for. */
  readonly paths: readonly string[];
}

/** `123 fsync(23</a/b>) = 0`, `123 linkat(AT_FDCWD</x>, "/a", AT_FDCWD</x>, "/b", 0) = 0`; failed and unfinished calls are left out. */
function callsOf(trace: string): FileCall[] {
  const open = new Map<string, string>();
  const calls: FileCall[] = [];
  for (const line of trace.split('\n')) {
    const [, pid = '', text = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (text.endsWith('<unfinished ...>')) {
      open.set(pid, text.replace('<unfinished ...>', ''));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text);
    const whole = resumed ? (open.get(pid) ?? '') + (resumed[1] ?? '') : text;
    const [, name, args] = /^(\w+)\((.*)\)\s+= 0$/.exec(whole) ?? [];
    if (!name || args === undefined) continue;
    calls.push({ name, paths: [...args.matchAll(/"([^"]*)"|\b\d+<([^>]*)>/g)].map(([, quoted, fd]) => quoted ?? fd ?? '') });
  }
  return calls;
}

/** Each name that appears in the storage: its content was synced before, its folder after, and the manifest came when all others lay safe. */
function orderViolations(calls: readonly FileCall[], root: string): Violation[] {
  const isSync = ({ name }: FileCall): boolean => name === 'fsync' || name === 'fdatasync';
  const appears = calls
    .map(({ name, paths }, index) => ({ name, index, source: paths[0] ?? '', target: paths.at(-1) ?? '' }))
    .filter(({ name, target }) => /^(link|rename)/.test(name) && target.startsWith(root) && !target.includes('/.uploads/'));
  const manifestAt = appears.find(({ target }) => target.endsWith('/manifest.json'))?.index;
  if (manifestAt === undefined || appears.length < 4)
    return [
      {
        invariant: 'row',
        what: `only ${appears.length} names appeared, or no manifest: ${appears.map(({ target }) => target).join(', ')}`,
      },
    ];
  return appears.flatMap(({ index, source, target }) => {
    const folder = dirname(source);
    const before = calls.slice(0, index).some((call) => isSync(call) && dirname(call.paths[0] ?? '') === folder);
    const after = calls.findIndex((call, at) => at > index && isSync(call) && call.paths[0] === dirname(target));
    const isManifest = target.endsWith('/manifest.json');
    return [
      ...mustHold(before, `${target} appeared before its content was synced`),
      ...mustHold(after > 0, `the folder of ${target} was not synced`),
      ...mustHold(isManifest || after < manifestAt, `the manifest appeared before the folder of ${target} was synced`),
    ];
  });
}

const syncOrder: FaultCase = {
  row: 26,
  title: 'the power may go at any moment of a publication (order of fsync, link and rename, by strace)',
  missing: () => (spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0 ? undefined : 'strace is not installed'),
  async run(world) {
    const [api] = world.server.apis;
    const path = join(world.folder, 'calls.txt');
    const filter = 'trace=fsync,fdatasync,link,linkat,rename,renameat,renameat2';
    const strace = spawn('strace', ['-f', '-y', '-s', '4096', '-e', filter, '-o', path, '-p', String(api?.pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let words = '';
    strace.stderr.on('data', (text: Buffer) => (words += text.toString()));
    try {
      await waitFor(() => words.includes('attached'), { describe: 'strace to attach', timeoutMs: 10_000 });
      await goodBackup(world, await jobTo(world, 'local'));
    } finally {
      strace.kill('SIGINT');
      await waitFor(() => strace.exitCode !== null || strace.signalCode !== null, {
        describe: 'strace to end',
        timeoutMs: 10_000,
      });
    }
    const calls = callsOf(await readFile(path, 'utf8'));
    world.note(`${calls.length} calls seen`);
    return orderViolations(calls, world.server.storageRoot);
  },
};

/** An agent of its own whose folder (keys, journal) lies on a small disk. */
async function smallAgent(world: FaultWorld, home: string): Promise<{ agent: AgentSide; job: JobView }> {
  const agent = new AgentSide({ name: 'agent-small', home: join(home, 'agent'), logDir: world.server.logDir });
  await agent.enrol(world.person, world.server.url);
  await agent.daemon.start();
  const view = await waitOnline(world.person, 'agent-small');
  const password = testSecret('small-agent', { fresh: true });
  await world.customer.query(`DROP ROLE IF EXISTS kucuk`);
  await world.customer.query(`CREATE ROLE kucuk LOGIN SUPERUSER PASSWORD '${password}'`);
  const { host, port } = world.customer;
  const place = { host, port, username: 'kucuk', password, database: world.customerDatabase, tlsMode: 'disable' };
  const database = await world.person.call<DatabaseView>('POST', '/v1/databases', {
    name: 'Küçük',
    type: 'postgresql',
    ...place,
    agentId: view.id,
  });
  return { agent, job: await world.makeJob({ databaseId: database.id }) };
}

const agentFull: FaultCase = {
  row: 23,
  title: "the disk of the agent's own folder is full",
  missing: (world) => (world.storageDisk ? undefined : 'no small disk could be mounted under an agent'),
  async run(world) {
    const disk = mountSmallDisk(join(world.folder, 'small-agent'), 8, "an agent's disk that is full");
    if (!disk) throw new Error('The disk could not be mounted');
    const { agent, job } = await smallAgent(world, disk.path);
    try {
      const before = await goodBackup(world, job);
      const { pid } = agent.daemon;
      disk.fill();
      const id = await startBackup(world, job);
      const full = await endOf(world, id, 60_000).catch(async () => (await backupsOf(world, job))[0]);
      const stayed = agent.daemon.isRunning() && agent.daemon.pid === pid;
      disk.free();
      const first = await endOf(world, id);
      const next = first.status === 'success' ? first : await endOf(world, await startBackup(world, job));
      await agent.daemon.stop();
      await agent.daemon.start();
      await waitOnline(world.person, 'agent-small');
      const again = await goodBackup(world, job);
      world.note(`with a full disk: ${full ? said(full) : 'nothing'}`);
      return [
        ...mustHold(stayed, 'the agent did not live through it'),
        ...mustHold(before.status === 'success' && next.status === 'success', `with room again: ${said(next)}`),
        ...mustHold(again.status === 'success', `after a restart with the older journal: ${said(again)}`),
        ...mustHold(full?.status !== 'failed' || !!full.errorMessage, 'failed without a reason'),
      ];
    } finally {
      disk.free();
      await agent.daemon.stop();
      disk.unmount();
    }
  },
};

export const diskFaults: readonly FaultCase[] = [agentFull, storageFull, failingSync, syncOrder];
