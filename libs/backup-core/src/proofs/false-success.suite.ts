import { AppError } from '@rahatback/contracts';
import { shimTools, startPostgres, waitFor, type PrivatePostgres, type ShimBehaviour } from '@rahatback/testing';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { BackupHarness } from '../backup-harness.suite.js';
import type { BackupRequest } from '../backup/backup-request.js';
import type { ClientTools } from '../engine/database-engine.js';
import { postgresEngine } from '../engine/postgres/postgres-engine.js';
import { spawnTool } from '../process/spawn-tool.js';
import { dumpBytes } from '../restore/read-dump.js';
import { END_MARK, type DumpFailure, type RecordedDump } from './dump-failures.suite.js';

const CONCURRENCY = 4;

/** Things that a careless reader would take for the end of a dump are part of it. */
const SCHEMA = `
  CREATE TABLE t (id int PRIMARY KEY, note text);
  INSERT INTO t SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, 6000) i;
  CREATE TABLE marks (note text);
  INSERT INTO marks VALUES ('--'), ('${END_MARK}'), ('--'), (''), (E'\\\\.'), ('\\unrestrict x');
  CREATE FUNCTION marked() RETURNS int LANGUAGE sql AS $f$
--
${END_MARK}
--

    SELECT 1 $f$;
  COMMENT ON TABLE t IS '
${END_MARK}
';
  CREATE SEQUENCE s;
  SELECT nextval('s');
  SELECT lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex'));
  CREATE INDEX ON t (note);
  CREATE VIEW v AS SELECT id FROM t;`;

export type Verdict = 'failed' | 'reported as success' | 'wrong code' | 'left something';

export interface FailureOutcome {
  readonly failure: DumpFailure;
  readonly verdict: Verdict;
  readonly detail: string;
}

/** A real database whose dump tool is a shim. */
export class FailingDumps {
  private constructor(
    readonly server: PrivatePostgres,
    readonly harness: BackupHarness,
    readonly database: string,
    readonly dump: RecordedDump,
  ) {}

  static async start(): Promise<FailingDumps> {
    const server = await startPostgres();
    const harness = await BackupHarness.start(server);
    const database = await server.createDatabase();
    await harness.query(database, SCHEMA);
    return new FailingDumps(server, harness, database, await recordDump(harness, database));
  }

  async stop(): Promise<void> {
    await this.harness.stop();
    await this.server.stop();
  }

  async shimmed(behaviour: ShimBehaviour): Promise<ClientTools[]> {
    const folder = join(this.harness.folder.path, `shim-${randomUUID()}`);
    const { binDir } = await shimTools(folder, { pg_dump: { version: '15.20', calls: [behaviour] }, psql: {} });
    return [{ major: this.server.major, version: '15.20', folder: binDir, warning: null }];
  }

  /** SHA-256 of the dump as it is read back out of a backup that a shim's output made. */
  async backedUp(behaviour: ShimBehaviour, change: Partial<BackupRequest> = {}): Promise<{ backupId: string; sha256: string }> {
    const { manifest } = await this.harness.backUp(this.database, { ...change, tools: await this.shimmed(behaviour) });
    const hash = createHash('sha256');
    for await (const bytes of dumpBytes(await this.harness.open(manifest.backupId))) hash.update(bytes);
    return { backupId: manifest.backupId, sha256: hash.digest('hex') };
  }

  /** Runs them a few at a time. */
  async runAll(failures: readonly DumpFailure[]): Promise<FailureOutcome[]> {
    const outcomes: FailureOutcome[] = [];
    const waiting = [...failures];
    const work = async (): Promise<void> => {
      for (let failure = waiting.shift(); failure; failure = waiting.shift()) outcomes.push(await this.run(failure));
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
    return outcomes;
  }

  private async run(failure: DumpFailure): Promise<FailureOutcome> {
    const identity = this.harness.identity();
    const groups: number[] = [];
    const change: Partial<BackupRequest> = {
      identity,
      tools: await this.shimmed(failure.behaviour),
      compression: failure.compression,
      onSpawn: ({ pid }) => groups.push(pid),
      ...(failure.stallMs === undefined ? {} : { limits: { stallMs: failure.stallMs } }),
    };
    const error = await this.harness.backUp(this.database, change).then(
      () => null,
      (reason: unknown) => reason,
    );
    const verdict = (outcome: Verdict, detail = ''): FailureOutcome => ({ failure, verdict: outcome, detail });
    if (error === null) return verdict('reported as success');
    const left = await this.leftOf(identity.backupId, groups);
    if (left !== '') return verdict('left something', left);
    if (error instanceof AppError && failure.codes.includes(error.code)) return verdict('failed', error.code);
    return verdict('wrong code', (error as Error).stack ?? (error as Error).message);
  }

  /** Names a manifest, a half file or a living process that the run left. Nothing is the empty text. */
  private async leftOf(backupId: string, groups: readonly number[]): Promise<string> {
    if (groups.length !== 1) return `${groups.length} tools were started`;
    const folder = this.harness.folderOf(backupId);
    const files = existsSync(folder) ? readdirSync(folder) : [];
    const wrong = files.filter((name) => name === 'manifest.json' || name.endsWith('.partial'));
    if (wrong.length > 0) return wrong.join(', ');
    // What was killed may take a moment until it is waited for.
    const gone = await waitFor(() => !groups.some(groupLives), { describe: 'the end of the group', timeoutMs: 3_000 }).catch(
      () => false,
    );
    return gone === false ? `processes of group ${groups.join(', ')}` : '';
  }
}

/** Every process of a tool is in the group that it leads. */
function groupLives(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function recordDump(harness: BackupHarness, database: string): Promise<RecordedDump> {
  const access = harness.access(database);
  const tools = postgresEngine.chooseTools(await postgresEngine.probe(access, 'backup'), harness.tools);
  const tool = await spawnTool(postgresEngine.dumpCommand(access, tools), { signal: new AbortController().signal, secrets: [] });
  tool.stdin.end();
  const bytes = await buffer(tool.stdout);
  const { code } = await tool.exit;
  if (code !== 0) throw new Error(`pg_dump ended with ${code}: ${tool.errorTail()}`);
  const file = join(harness.folder.path, 'whole.sql');
  const twiceFile = join(harness.folder.path, 'twice.sql');
  const plainFile = join(harness.folder.path, 'plain.sql');
  const plainBytes = Buffer.from(bytes.toString('utf8').replaceAll(/^\\(un)?restrict [A-Za-z0-9]{20,}\n\n?/gm, ''));
  await writeFile(file, bytes);
  await writeFile(twiceFile, Buffer.concat([bytes, bytes]));
  await writeFile(plainFile, plainBytes);
  return { file, bytes, twiceFile, plainFile, plainBytes };
}
