import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RestoreAnswer, RestoreView } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { Client } from 'pg';
import { startVerification, verificationEnd } from '../../crash/proof-cases.js';
import { mustHold, type FaultCase } from '../fault-case.js';
import { goodBackup, jobTo } from '../operations.js';
import { specCase } from '../spec-case.js';

/**
 * Names, comments and rows that a client program could take for its own commands, and code that the server runs by itself when it is filled. The
 * folder is the agent's own user's alone: a canary in it was made by the agent or one of its client programs.
 */
const hostile = (canary: (name: string) => string): string => `
  CREATE SCHEMA kotu;
  CREATE TABLE kotu."x\n\\! touch ${canary('name')}\n--" (id int, metin text);
  COMMENT ON TABLE kotu."x\n\\! touch ${canary('name')}\n--" IS E'a\n\\\\! touch ${canary('comment')}\n';
  INSERT INTO kotu."x\n\\! touch ${canary('name')}\n--" VALUES (1, E'\\\\.\n\\\\! touch ${canary('row')}\n\\\\.'), (2, E'\n\\\\o | touch ${canary('pipe')}\n');
  CREATE FUNCTION kotu.calistir() RETURNS int LANGUAGE plpgsql AS $f$
  BEGIN
    EXECUTE $q$COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; touch ${canary('program')} 2> /dev/null || true'$q$;
    RETURN 1;
  END $f$;
  CREATE MATERIALIZED VIEW kotu.gorunum AS SELECT kotu.calistir() AS n;`;

const NAMES = ['name', 'comment', 'row', 'pipe', 'program'] as const;

const hostileNames: FaultCase = {
  row: 75,
  title: 'a dump holds \\! in names, comments and rows, and COPY … TO PROGRAM in a view; it is verified in full and restored',
  async run(world) {
    const { person, customer, customerDatabase } = world;
    const folder = join(world.folder, 'canaries');
    await mkdir(folder, { mode: 0o700 });
    const canary = (name: string): string => join(folder, name);
    const client = new Client({ connectionString: customer.url(customerDatabase) });
    await client.connect();
    try {
      await client.query(hostile(canary));
      const { id } = await goodBackup(world, await jobTo(world, 'local'));
      const verified = await verificationEnd(world, (await startVerification(world, id)).verificationId, 120_000);
      const { restoreHistoryId } = await person.call<RestoreAnswer>('POST', `/v1/backups/history/${id}/restore`, {});
      const restored = await waitFor(
        async () => {
          const row = await person.call<RestoreView>('GET', `/v1/restores/${restoreHistoryId}`);
          return row.status === 'running' ? undefined : row;
        },
        { timeoutMs: 90_000, pollMs: 200, describe: 'the restore to end' },
      );
      const made = NAMES.filter((name) => existsSync(canary(name)));
      world.note(`verified ${verified.ended}, restored ${restored.status} ${restored.errorCode ?? ''}`);
      return [
        ...mustHold(made.length === 0, `run by the agent: ${made.join(', ')}`),
        ...mustHold(verified.ended === 'PASSED', `its verification ended ${verified.ended} ${verified.code ?? ''}`),
        ...mustHold(restored.status === 'success', `its restore ended ${restored.status} ${restored.errorMessage ?? ''}`),
      ];
    } finally {
      await client.query('DROP SCHEMA IF EXISTS kotu CASCADE');
      await client.end();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

const HOSTILE_SPEC = 'libs/backup-core/src/verify/hostile.int-spec.ts';

export const hostileDumpFaults: readonly FaultCase[] = [
  hostileNames,
  specCase({
    row: 75,
    title: 'a dump makes the throw-away server run programs, in each kind of isolation',
    file: HOSTILE_SPEC,
    name: 'that the server itself runs reaches nothing',
  }),
  specCase({
    row: 75,
    title: 'a dump that was tampered with holds commands of its own',
    file: HOSTILE_SPEC,
    name: 'is refused before it is run',
  }),
  specCase({
    row: 76,
    title: 'the disk of a test restore runs full in the middle of it',
    file: 'libs/backup-core/src/verify/full-disk.int-spec.ts',
    name: 'says nothing against the backup',
  }),
];
