import { clientMajors, missingMajor, startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { BackupHarness } from '../backup-harness.suite.js';
import { roundTrip, sayFigure, toolsOf } from './round-trip.suite.js';

/** What a database of that kind needs to be created, and the first major that has it. */
const LOCALES: readonly (readonly [name: string, since: number, clauses: string])[] = [
  ['C', 13, `LOCALE 'C'`],
  ['POSIX and C.UTF-8 mixed', 13, `LC_COLLATE 'POSIX' LC_CTYPE 'C.UTF-8'`],
  ['ICU Turkish', 15, `LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C.UTF-8'`],
  ['ICU with rules', 16, `LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&V << w <<< W' LOCALE 'C.UTF-8'`],
  ['builtin', 17, `LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'`],
];

const IDENTITY = `SELECT to_jsonb(d) - ARRAY['oid', 'datname', 'datdba', 'datfrozenxid', 'datminmxid', 'datlastsysoid', 'datacl'] FROM pg_database d WHERE datname = $1`;

const [installed = 15] = clientMajors();
const majors = [installed, 18].filter((major, at, all) => missingMajor(major) === null && all.indexOf(major) === at);

jest.setTimeout(120_000);

describe.each(majors)('databases of every locale on PostgreSQL %i', (major) => {
  let server: PrivatePostgres;
  let harness: BackupHarness;
  beforeAll(async () => {
    server = await startPostgres({ version: major });
    harness = await BackupHarness.start(server);
  }, 60_000);
  afterAll(async () => {
    await harness.stop();
    await server.stop();
  });

  it.each(LOCALES.filter(([, since]) => major >= since))('%s', async (name, _since, clauses) => {
    const [database, copy] = [name, `${name} copy`];
    await server.query(`CREATE DATABASE "${database}" TEMPLATE template0 ENCODING 'UTF8' ${clauses}`);
    await harness.query(
      database,
      `CREATE TABLE words (w text PRIMARY KEY); INSERT INTO words SELECT unnest(ARRAY['ı', 'i', 'I', 'İ', 'ç', 'c', 'd', 'v', 'w', 'W']); CREATE MATERIALIZED VIEW sorted AS SELECT string_agg(w, '' ORDER BY w) AS words, upper('i') AS u FROM words`,
    );
    const dumpTools = await toolsOf(major);
    const result = await roundTrip(harness, database, { dumpTools, copy });
    sayFigure(`PostgreSQL ${dumpTools.version}, locale ${name}`, result);
    expect(result).toMatchObject({ different: [], secondOpinion: { different: [] }, schemaDifference: null });
    const [[wanted] = []] = await server.query(IDENTITY, { values: [database] });
    expect(await server.query(IDENTITY, { values: [copy] })).toEqual([[wanted]]);
    expect(wanted).toMatchObject({ encoding: 6 });
  });
});
