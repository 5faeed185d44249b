import { AppError } from '@rahatback/contracts';
import { clientBinDir, createRealisticDatabase, missingMajor, startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { BackupHarness } from '../backup-harness.suite.js';
import { postgresEngine } from '../engine/postgres/postgres-engine.js';
import { everyTypeSql } from './every-type.suite.js';
import { hostileSections } from './hostile-schema.suite.js';
import { identifier, oddNamesSql } from './odd-names.suite.js';
import { connected, roundTrip, sayFigure, toolsOf, type RoundTrip, type RoundTripOptions } from './round-trip.suite.js';

const MAJORS = [13, 15, 17, 18] as const;
type Major = (typeof MAJORS)[number];

const missing = new Map<Major, string>();
for (const major of MAJORS) {
  const why = missingMajor(major);
  if (why === null) continue;
  missing.set(major, why);
  process.stdout.write(`NOT PROVEN: PostgreSQL ${major}: ${why}\n`);
}
const lacks = (...majors: Major[]): boolean => majors.some((major) => missing.has(major));
/** What needs a major that is not here is skipped, which is not the same as passed. */
const itWith = (...majors: Major[]): jest.It => (lacks(...majors) ? it.skip : it);

describe('round trips on PostgreSQL', () => {
  const harnesses = new Map<Major, BackupHarness>();
  const servers: PrivatePostgres[] = [];
  /** The server of a major, started when it is first asked for. */
  const on = async (major: Major): Promise<BackupHarness> => {
    const running = harnesses.get(major);
    if (running) return running;
    const server = await startPostgres({ version: major, settings: { max_connections: '100' } });
    servers.push(server);
    const harness = await BackupHarness.start(server);
    harnesses.set(major, harness);
    return harness;
  };
  afterAll(async () => {
    for (const harness of harnesses.values()) await harness.stop();
    for (const server of servers) await server.stop();
  });

  const ordinary = async (harness: BackupHarness): Promise<string> => {
    const database = await harness.server.createDatabase();
    await connected(harness, database, (client) => createRealisticDatabase(client, { targetMb: 4, seed: 9 }));
    return database;
  };
  /** Its roles are the server's: once on each. */
  const hostile = async (harness: BackupHarness): Promise<string> => {
    const { major } = harness.server;
    const database = await harness.server.createDatabase(`hostile of ${major}`);
    const sections = [oddNamesSql(), everyTypeSql(major), ...hostileSections(major).map(({ sql }) => sql)];
    for (const sql of sections) await harness.query(database, sql);
    return database;
  };
  const equal = (name: string, ...results: RoundTrip[]): void => {
    sayFigure(name, ...results);
    for (const result of results) {
      expect(result.different).toEqual([]);
      expect(result.secondOpinion.different).toEqual([]);
    }
  };
  let copies = 0;
  const trip = (source: BackupHarness, database: string, options: Omit<RoundTripOptions, 'copy'>): Promise<RoundTrip> =>
    roundTrip(source, database, { ...options, copy: `copy ${(copies += 1)}` });
  const refusal = async (work: Promise<unknown>): Promise<AppError> => {
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AppError);
    return error as AppError;
  };

  for (const major of MAJORS) {
    itWith(major)(
      `${major}, with the client of the same major`,
      async () => {
        const harness = await on(major);
        const dumpTools = await toolsOf(major);
        const results = [
          await trip(harness, await ordinary(harness), { dumpTools }),
          await trip(harness, await hostile(harness), { dumpTools }),
        ];
        equal(`PostgreSQL ${dumpTools.version}`, ...results);
        for (const result of results) {
          expect(result.schemaDifference).toBeNull();
          expect(result.backup.facts).toMatchObject({
            serverVersion: expect.stringMatching(`^${major}\\.`) as string,
            toolVersion: expect.stringMatching(`^${major}\\.`) as string,
          });
        }
      },
      240_000,
    );
  }

  const NEWER_CLIENTS: readonly (readonly [server: Major, client: Major])[] = [
    [13, 15],
    [13, 17],
    [13, 18],
    [15, 17],
    [15, 18],
    [17, 18],
  ];
  for (const [major, client] of NEWER_CLIENTS) {
    itWith(major, client)(
      `${major}, with the client of ${client}`,
      async () => {
        const harness = await on(major);
        const dumpTools = await toolsOf(client);
        const result = await trip(harness, await ordinary(harness), { dumpTools });
        equal(`PostgreSQL ${major} with client ${dumpTools.version}`, result);
        expect(result.schemaDifference).toBeNull();
      },
      120_000,
    );
  }

  itWith(15, 18)(
    'a dump by a newer client is restored by an older one',
    async () => {
      const harness = await on(15);
      const [dumpTools, restoreTools] = [await toolsOf(18), await toolsOf(15)];
      equal(
        'PostgreSQL 15 dumped by 18, restored by 15',
        await trip(harness, await ordinary(harness), { dumpTools, restoreTools }),
      );
    },
    120_000,
  );

  const UPGRADES: readonly (readonly [from: Major, to: Major])[] = [
    [13, 18],
    [15, 17],
    [17, 18],
  ];
  for (const [from, to] of UPGRADES) {
    itWith(from, to)(
      `a dump of ${from} is restored into ${to}`,
      async () => {
        const [source, target] = [await on(from), await on(to)];
        const [dumpTools, restoreTools] = [await toolsOf(from), await toolsOf(to)];
        const result = await trip(source, await ordinary(source), { target, dumpTools, restoreTools });
        equal(`PostgreSQL ${from} restored into ${to}`, result);
      },
      120_000,
    );
  }

  itWith(13, 18)(
    'a hostile dump of 13 is restored into 18',
    async () => {
      const [source, target] = [await on(13), await on(18)];
      const database = 'hostile of 13';
      const there = new Set((await target.server.query('SELECT rolname FROM pg_roles')).map(([name]) => String(name)));
      for (const [name] of await source.server.query('SELECT rolname FROM pg_roles'))
        if (!there.has(String(name))) await target.server.query(`CREATE ROLE ${identifier(String(name))}`);
      const options = { target, dumpTools: await toolsOf(13), restoreTools: await toolsOf(18) };
      equal('PostgreSQL 13, hostile, restored into 18', await trip(source, database, options));
    },
    120_000,
  );

  itWith(15, 18)(
    'a backup of 18 is refused by 15 before anything is created',
    async () => {
      const [source, target] = [await on(18), await on(15)];
      const database = await source.server.createDatabase();
      await source.query(database, 'CREATE TABLE t AS SELECT 1 AS a');
      const { manifest } = await source.backUp(database, { tools: [await toolsOf(18)] });
      const before = await target.databases();
      for (const client of [15, 18] as const) {
        const into = { access: target.access('postgres'), tools: [await toolsOf(client)] };
        expect(await refusal(source.restore(manifest.backupId, 'downgraded', into))).toMatchObject({
          code: 'VERSION_DOWNGRADE',
          message: expect.stringMatching(/^This backup is of PostgreSQL 18\.\d+ and the target server is 15\.\d+/) as string,
        });
      }
      expect(await target.databases()).toEqual(before);
    },
    60_000,
  );

  itWith(17, 18)(
    'a server that is newer than all tools is refused',
    async () => {
      const harness = await on(18);
      const tools = await postgresEngine.findTools({ extraFolders: [clientBinDir(17)] });
      const older = tools.filter(({ major }) => major < 18);
      expect(older[0]).toMatchObject({ major: 17, folder: clientBinDir(17) });
      expect(await refusal(harness.backUp('postgres', { tools: older }))).toMatchObject({
        code: 'TOOL_VERSION',
        message: expect.stringMatching(/pg_dump 17\.\d+ cannot dump server 18\.\d+.*Install the PostgreSQL 18 client/) as string,
      });
      // And if it is tried nevertheless, the tool's own refusal is understood.
      const blind = { ...postgresEngine, chooseTools: () => older[0] ?? tools[0] } as typeof postgresEngine;
      expect(await refusal(harness.backUp('postgres', { tools: older, engine: blind }))).toMatchObject({ code: 'TOOL_VERSION' });
    },
    60_000,
  );
});
