import { join } from 'node:path';
import type { AuditVerification } from '@rahatback/contracts';
import { provingSuite, waitFor } from '@rahatback/testing';
import { ProductProcess } from '../../system/product-process.js';
import { packageDir } from '../../system/server-side.js';
import { mustHold, type FaultCase, type Violation } from '../fault-case.js';
import type { FaultWorld } from '../fault-world.js';
import { endOf, jobTo, said, startBackup } from '../operations.js';
import { specCase } from '../spec-case.js';

const ROTATIONS = provingSuite() === undefined ? 1 : 3;
const STEPS = [
  'keys.rotate.made',
  'keys.rotate.prepared',
  'keys.rotate.switched',
  'keys.rotate.retired',
  'keys.rotate.batch',
  'keys.rotate.resealed',
];
const ROTATION_SPEC = 'apps/api/src/platform/keys/kek-rotation.int-spec.ts';

/** The command that an operator runs beside the server. @returns its exit code, or the signal that ended it */
async function rotateKek({ server }: FaultWorld, args: readonly string[], fault?: string): Promise<number | string> {
  const entry = join(packageDir('@rahatback/api'), 'dist/rotate-kek.js');
  const run = new ProductProcess({ name: 'rotate-kek', entry, args, env: server.env, logDir: server.logDir });
  await run.start(fault === undefined ? {} : { FAULT: fault });
  const outcome = await run.wait();
  return outcome?.code ?? outcome?.signal ?? 'nothing';
}

/** @throws Error with the end of its log */
async function mustRotate(world: FaultWorld, ...args: string[]): Promise<void> {
  const code = await rotateKek(world, args);
  if (code === 0) return;
  throw new Error(`rotate-kek ${args.join(' ')} ended with ${code}; see ${world.server.logDir}/rotate-kek.log`);
}

/** Backups to the bucket and to the server's disk, one after the other, and a storage that is written, changed and read, until told to stop. */
async function underLoad(world: FaultWorld, isOver: () => boolean): Promise<{ rounds: number; violations: Violation[] }> {
  const jobs = [await jobTo(world, 's3'), await jobTo(world, 'local')];
  const violations: Violation[] = [];
  let rounds = 0;
  for (; !isOver() || rounds < 2; rounds += 1) {
    const job = jobs[rounds % 2];
    if (!job) break;
    const ended = await endOf(world, await startBackup(world, job));
    violations.push(...mustHold(ended.status === 'success' && ended.attempts.length === 1, said(ended)));
    violations.push(...(await storageOpens(world)));
  }
  return { rounds, violations };
}

/** Its sealed credentials still open: the server signs in at the bucket with them. */
async function storageOpens({ person, s3Storage }: FaultWorld): Promise<readonly Violation[]> {
  const { status, body } = await person.send('POST', `/v1/storages/${s3Storage.id}/test`);
  const isOpen = status < 300 && (body as { success?: boolean }).success === true;
  return mustHold(isOpen, `the storage was not readable: ${status} ${JSON.stringify(body).slice(0, 200)}`);
}

/** `work` while backups run; what they said is judged afterwards. */
async function whileBackingUp(world: FaultWorld, work: () => Promise<void>): Promise<Violation[]> {
  let isOver = false;
  const load = underLoad(world, () => isOver);
  try {
    await work();
  } finally {
    isOver = true;
    world.note(`${(await load).rounds} backups meanwhile`);
  }
  return (await load).violations;
}

const rotated: FaultCase = {
  row: 89,
  title: `the server key is rotated while backups run, ${ROTATIONS} times`,
  async run(world) {
    const violations: Violation[] = [];
    for (let rotation = 0; rotation < ROTATIONS; rotation += 1) {
      violations.push(...(await whileBackingUp(world, () => mustRotate(world, 'rotate'))));
      // Addresses that the old key signed are still out: it goes when nobody uploads.
      await mustRotate(world, 'remove', '--now');
      violations.push(...(await whileBackingUp(world, () => Promise.resolve())));
    }
    return violations;
  },
};

const killedRotation: FaultCase = {
  row: 90,
  title: `the rotation of the server key is killed at each of ${STEPS.length} steps while backups run`,
  async run(world) {
    const ends: string[] = [];
    const violations = await whileBackingUp(world, async () => {
      for (const step of STEPS) ends.push(String(await rotateKek(world, ['rotate'], `${step}:1`)));
    });
    // The last step was done: only the removal of the old key is left.
    await mustRotate(world, 'remove', '--now');
    const after = await whileBackingUp(world, () => Promise.resolve());
    const killed = ends.filter((end) => end === 'SIGKILL').length;
    world.note(`${killed} of ${STEPS.length} runs killed`);
    return [...violations, ...after, ...mustHold(killed === STEPS.length, `the runs ended ${ends.join(', ')}`)];
  },
};

const manyRows = specCase({
  row: 90,
  title: 'the rotation is killed at each of its steps with many sealed rows, under the load of two processes',
  file: ROTATION_SPEC,
  name: 'goes on after a kill at each of its steps',
});

const verifyAudit = ({ person }: FaultWorld): Promise<AuditVerification> => person.call('GET', '/v1/audit/verify');

/** What somebody does who has the machine of the database: superuser, and triggers out of the way. */
async function tamper({ server, workspaceId }: FaultWorld, sql: string): Promise<void> {
  const own = sql.replaceAll('$OWN', `workspace_id = '${workspaceId}'`);
  await server.postgres.query(`SET session_replication_role = replica; ${own}; RESET session_replication_role`, {
    database: server.databaseName,
  });
}

interface Tampering {
  readonly what: string;
  readonly sql: string;
  readonly undo: string;
  readonly reason: string;
}

const kept = (sequence: number): string =>
  `DROP TABLE IF EXISTS fault_watch.kept; CREATE TABLE fault_watch.kept AS SELECT * FROM audit_events WHERE $OWN AND sequence = ${sequence}`;
const PUT_BACK = 'INSERT INTO audit_events SELECT * FROM fault_watch.kept';

const TAMPERINGS: readonly Tampering[] = [
  {
    what: 'an edited row',
    sql: `${kept(5)}; UPDATE audit_events SET action = 'user.nothing' WHERE $OWN AND sequence = 5`,
    undo: `DELETE FROM audit_events WHERE $OWN AND sequence = 5; ${PUT_BACK}`,
    reason: 'row_changed',
  },
  {
    what: 'a deleted row',
    sql: `${kept(5)}; DELETE FROM audit_events WHERE $OWN AND sequence = 5`,
    undo: PUT_BACK,
    reason: 'row_missing',
  },
];

const tamperedAudit: FaultCase = {
  row: 91,
  title: 'a row of the audit log is edited, another deleted, by a superuser of the database',
  async run(world) {
    const isChained = async (): Promise<boolean> => (await verifyAudit(world)).unchained === 0;
    await waitFor(isChained, { describe: 'the audit log to be chained', timeoutMs: 20_000 });
    const violations: Violation[] = [...mustHold((await verifyAudit(world)).ok, 'the chain was broken before')];
    for (const { what, sql, undo, reason } of TAMPERINGS) {
      await tamper(world, sql);
      const { ok, brokenAt } = await verifyAudit(world);
      world.note(`${what}: ${brokenAt?.reason ?? 'not seen'} at ${brokenAt?.sequence ?? '?'}`);
      violations.push(...mustHold(!ok && brokenAt?.sequence === 5 && brokenAt.reason === reason, `${what} was not named`));
      await tamper(world, undo);
      violations.push(...mustHold((await verifyAudit(world)).ok, `${what}, put back, is still named`));
    }
    return violations;
  },
};

export const serverKeyFaults: readonly FaultCase[] = [rotated, killedRotation, manyRows, tamperedAudit];
