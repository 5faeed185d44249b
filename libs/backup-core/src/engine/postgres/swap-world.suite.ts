import type { Connection } from '@rahatback/contracts';
import { startNodeProcess, startPostgres, tempDir, waitFor, type PrivatePostgres, type TempDir } from '@rahatback/testing';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import type { DatabaseAccess, SwapRequest } from '../database-engine.js';
import type { SwapTask } from './swap-process.suite.js';

const LIVE = 'shop';
const APP_PASSWORD = 'canary-app';
const BUILT = join(__dirname, '../../../dist/engine/postgres/swap-process.suite.js');
/** What a pool sees while connections are blocked, cut, or waited for a rename. */
const EXPECTED_ERRORS =
  /not currently accepting|terminating connection|just been dropped or renamed|Connection terminated|connection error and is not queryable|ECONNRESET/;
/** The server says this one in the detail of "does not exist", to a connection that came while the names changed. */
const wordsOf = (error: unknown): string => {
  const { message, detail = '' } = error as Error & { detail?: string };
  return `${message} ${detail}`;
};

export interface DatabaseState {
  readonly oid: string;
  readonly owner: string;
  readonly allowsConnections: boolean;
  readonly limit: number;
  readonly grants: string | null;
  readonly settings: string;
  readonly comment: string | null;
}

/** The properties that a swap carries over, without what tells the databases apart. */
export const propertiesOf = ({ owner, limit, grants, settings }: DatabaseState) => ({ owner, limit, grants, settings });

/** A server with a live database that has every property, a restored one beside it, and sessions that use the live one all the time. */
export class SwapWorld {
  readonly restoreId = 'restore-1';
  oldOid = '';
  newOid = '';
  /** Under which name the restored database stands, and which name is free. */
  names = { restored: `${LIVE}_restored`, free: `${LIVE}_old` };
  readonly violations: string[] = [];
  transactions = 0;
  reconnects = 0;
  private stopping = false;
  private readonly work: Promise<void>[] = [];
  private runs = 0;

  private constructor(
    readonly server: PrivatePostgres,
    private readonly folder: TempDir,
  ) {}

  static async start(version?: number): Promise<SwapWorld> {
    const server = await startPostgres(version === undefined ? {} : { version });
    const world = new SwapWorld(server, await tempDir('rahatback-swap-'));
    await world.prepare();
    return world;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.work);
    await this.server.stop();
    await this.folder.remove();
  }

  access(): DatabaseAccess {
    const { host, port, superuser: username, password } = this.server;
    const connection: Connection = {
      type: 'postgresql',
      host,
      port,
      username,
      database: LIVE,
      tlsMode: 'disable',
      tlsCa: null,
      passwordRef: null,
    };
    return { connection, password };
  }

  request(drainMs = 50): SwapRequest {
    const { restored, free } = this.names;
    return { restoreId: this.restoreId, liveDatabase: LIVE, restoredDatabase: restored, retiredDatabase: free, drainMs };
  }

  /** After a swap and its undo the restored database has the other name. */
  turnNames(): void {
    const { restored, free } = this.names;
    this.names = { restored: free, free: restored };
  }

  private async prepare(): Promise<void> {
    const { server } = this;
    for (const sql of [
      'CREATE ROLE shop_owner',
      `CREATE ROLE app LOGIN PASSWORD '${APP_PASSWORD}'`,
      'CREATE ROLE auditor',
      'CREATE ROLE helper',
      `CREATE DATABASE ${LIVE} OWNER shop_owner TEMPLATE template0`,
      `CREATE DATABASE ${this.names.restored} TEMPLATE template0`,
      `REVOKE ALL ON DATABASE ${LIVE} FROM PUBLIC`,
      `GRANT CONNECT, TEMPORARY ON DATABASE ${LIVE} TO app`,
      `GRANT CONNECT ON DATABASE ${LIVE} TO auditor WITH GRANT OPTION`,
      `ALTER DATABASE ${LIVE} SET search_path TO "we.ird, one", public`,
      `ALTER DATABASE ${LIVE} SET shop.note TO 'it''s a \\ "note"'`,
      `ALTER ROLE app IN DATABASE ${LIVE} SET work_mem TO '3MB'`,
      `ALTER DATABASE ${LIVE} CONNECTION LIMIT 150`,
      `COMMENT ON DATABASE ${LIVE} IS 'the shop''s own words'`,
      `ALTER DATABASE ${this.names.restored} SET work_mem TO '9MB'`,
      `COMMENT ON DATABASE ${this.names.restored} IS 'Restored by RahatBack: ${this.restoreId}'`,
    ])
      await server.query(sql);
    const grantAsAuditor = `SET ROLE auditor; GRANT CONNECT ON DATABASE ${LIVE} TO helper; RESET ROLE`;
    await this.script(grantAsAuditor);
    for (const [database, generation] of [
      [LIVE, 'old'],
      [this.names.restored, 'new'],
    ] as const)
      await this.script(
        `CREATE TABLE marker (generation text); INSERT INTO marker VALUES ('${generation}'); CREATE TABLE hits (n bigint); INSERT INTO hits VALUES (0);
         GRANT ALL ON marker, hits TO app`,
        database,
      );
    const states = await this.states();
    this.oldOid = states.get(LIVE)?.oid ?? '';
    this.newOid = states.get(this.names.restored)?.oid ?? '';
  }

  async script(sql: string, database = 'postgres'): Promise<void> {
    const client = new Client({ connectionString: this.server.url(database) });
    await client.connect();
    await client.query(sql);
    await client.end();
  }

  /** Every database of ours as one snapshot of the catalogue. */
  async states(): Promise<ReadonlyMap<string, DatabaseState>> {
    const rows = (await this.server.query(
      `SELECT d.datname, d.oid::text, pg_get_userbyid(d.datdba), d.datallowconn, d.datconnlimit,
        (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(d.datacl) a), shobj_description(d.oid, 'pg_database'),
        (SELECT string_agg(s.setrole || ' ' || u, ';' ORDER BY s.setrole, u) FROM pg_db_role_setting s, unnest(s.setconfig) u WHERE s.setdatabase = d.oid)
       FROM pg_database d WHERE d.datname NOT IN ('postgres', 'template0', 'template1')`,
    )) as [string, string, string, boolean, number, string | null, string | null, string | null][];
    return new Map(
      rows.map(([name, oid, owner, allowsConnections, limit, grants, comment, settings]) => [
        name,
        { oid, owner, allowsConnections, limit, grants, comment, settings: settings ?? '' },
      ]),
    );
  }

  private client(): Client {
    const { host, port } = this.server;
    return new Client({ host, port, user: 'app', password: APP_PASSWORD, database: LIVE, application_name: 'web' });
  }

  /** What the live database says through a connection like those of its users. */
  async generation(): Promise<unknown> {
    const client = this.client();
    client.on('error', () => undefined);
    await client.connect();
    const { rows } = await client.query('SELECT generation, current_setting($1) AS work_mem FROM public.marker', ['work_mem']);
    await client.end();
    return rows;
  }

  /** `count` sessions like those of a pool: small transactions, and a new connection whenever one is lost. Also looks whether the name is there. */
  keepBusy(count: number): void {
    for (let n = 0; n < count; n += 1) this.work.push(this.beBusy());
    this.work.push(this.watchName());
  }

  private async beBusy(): Promise<void> {
    while (!this.stopping) {
      const client = this.client();
      client.on('error', () => undefined);
      try {
        await client.connect();
        this.reconnects += 1;
        while (!this.stopping) await this.transaction(client);
      } catch (error) {
        if (!EXPECTED_ERRORS.test(wordsOf(error))) this.violations.push(`session: ${wordsOf(error)}`);
      }
      await client.end().catch(() => undefined);
      await pause(100);
    }
  }

  private async transaction(client: Client): Promise<void> {
    await client.query('BEGIN');
    const { rows } = await client.query<{ generation: string }>('SELECT generation FROM public.marker');
    await client.query('UPDATE public.hits SET n = n + 1');
    await client.query('COMMIT');
    this.transactions += 1;
    const [row] = rows;
    if (rows.length !== 1 || (row?.generation !== 'old' && row?.generation !== 'new'))
      this.violations.push(`session read ${JSON.stringify(rows)}`);
    await pause(100);
  }

  private async watchName(): Promise<void> {
    const client = new Client({ connectionString: this.server.url() });
    await client.connect();
    while (!this.stopping) {
      const { rows } = await client.query<{ oid: string }>('SELECT oid::text AS oid FROM pg_database WHERE datname = $1', [LIVE]);
      const oid = rows[0]?.oid;
      if (rows.length !== 1 || (oid !== this.oldOid && oid !== this.newOid))
        this.violations.push(`the live name was ${JSON.stringify(rows)}`);
      await pause(5);
    }
    await client.end();
  }

  /** A process that turns the names, killed at a point or after some milliseconds. @returns how it ended and what it had said */
  async killed(kind: SwapTask['kind'], when: { readonly point: string } | { readonly afterMs: number }) {
    if (!existsSync(BUILT)) throw new Error('libs/backup-core is not built: run nx build @rahatback/backup-core first.');
    this.runs += 1;
    const path = join(this.folder.path, `task-${this.runs}.json`);
    const crashPoint = 'point' in when ? when.point : null;
    const task: SwapTask = { kind, access: { ...this.access(), password: null }, request: this.request(), crashPoint };
    await writeFile(path, JSON.stringify(task), { mode: 0o600 });
    const logPath = join(this.folder.path, `task-${this.runs}.log`);
    const code = `import(${JSON.stringify(BUILT)}).then(({ runSwapTask }) => runSwapTask(${JSON.stringify(path)}))`;
    const entry = join(this.folder.path, 'entry.mjs');
    await writeFile(entry, code.replace(JSON.stringify(path), 'process.argv[2]'));
    const child = await startNodeProcess({
      entry,
      args: [path],
      env: { SWAP_PASSWORD: this.access().password ?? '' },
      logPath,
      ...('afterMs' in when ? { readyLine: /^begin$/m } : {}),
    });
    if ('afterMs' in when) await pause(when.afterMs);
    else
      await waitFor(() => child.hasEnded(), { describe: `the process to die at ${when.point}`, timeoutMs: 20_000, pollMs: 10 });
    const { signal } = await child.kill();
    return { wasKilled: signal === 'SIGKILL', log: await child.log() };
  }
}
