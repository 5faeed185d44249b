import { createRealisticDatabase, findPostgres } from '@rahatback/testing';
import { Client } from 'pg';
import { clientBinDir } from '@rahatback/testing';
import { postgresEngine } from '../engine/postgres/postgres-engine.js';
import { checkOf, notPassed, VerificationWorld } from './verification-world.suite.js';

jest.setTimeout(180_000);

const isHere = (major: number): boolean => {
  try {
    return findPostgres(major).major === major;
  } catch {
    return false;
  }
};

/** Servers of other majors, from folders that the agent's configuration names. */
describe('a full verification', () => {
  it.each([13, 17, 18])('of a PostgreSQL %i backup is made in a server of that major', async (major) => {
    if (!isHere(major)) {
      process.stdout.write(`NOT PROVEN: PostgreSQL ${major} is not on this machine: run script/bootstrap --majors\n`);
      return;
    }
    const world = await VerificationWorld.start(major);
    try {
      const search = { extraFolders: [clientBinDir(major)] };
      const tools = await postgresEngine.findTools(search);
      const database = await world.server.createDatabase();
      const client = new Client({ connectionString: world.server.url(database) });
      await client.connect();
      await createRealisticDatabase(client, { targetMb: 3 });
      await client.end();
      const { backupId } = (await world.harness.backUp(database, { tools })).manifest;
      const outcome = await world.verify(backupId, 'FULL', { tools, search });
      expect([outcome.reason, notPassed(outcome)]).toEqual([null, []]);
      expect(checkOf(outcome, 'server').evidence.serverVersion).toMatch(new RegExp(`^${major}\\.`));
      process.stdout.write(`PostgreSQL ${major}: ${outcome.tables.length} tables equal, restored in ${outcome.restoreMs} ms\n`);
      await world.assertNothingLeft();
    } finally {
      await world.stop();
    }
  });
});
