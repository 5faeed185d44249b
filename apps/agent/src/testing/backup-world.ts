import { randomUUID } from 'node:crypto';
import type { BackupLocation, CommandEnvelope, CommandPayloads, Connection, SealedSecret } from '@rahatback/contracts';
import { generateRecoveryIdentity, sealSecret, type RecoveryIdentity } from '@rahatback/crypto';
import { startPostgres, tempDir, waitFor, type PrivatePostgres, type TempDir } from '@rahatback/testing';
import { join } from 'node:path';
import { Client } from 'pg';
import { AgentProcess, runAgent } from './agent-process.js';
import { backupPayload, envelope, WHOLE_RESTORE } from './command-factory.js';
import { ScriptedServer } from './scripted-server.js';

const ROWS = 20_000;

/** A database, a server that speaks the protocol, and the real agent as a process between them. */
export class BackupWorld {
  readonly home: string;
  #process: AgentProcess | undefined;
  #fence = 0;

  private constructor(
    readonly dir: TempDir,
    readonly postgres: PrivatePostgres,
    readonly server: ScriptedServer,
    readonly recovery: RecoveryIdentity,
  ) {
    this.home = join(dir.path, 'home');
  }

  static async start(): Promise<BackupWorld> {
    const dir = await tempDir('rahatback-world-');
    const world = new BackupWorld(dir, await startPostgres(), await ScriptedServer.start(), await generateRecoveryIdentity());
    world.server.recoveryRecipient = world.recovery.recipient;
    world.server.enrolCodes.add('CODE');
    const { code, stderr } = await runAgent(world.home, ['enroll', 'CODE', '--server', world.server.url]);
    if (code !== 0) throw new Error(stderr);
    return world;
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.server.close();
    await this.postgres.stop();
    await this.dir.remove();
  }

  get agent(): AgentProcess {
    if (this.#process === undefined) throw new Error('No agent runs.');
    return this.#process;
  }

  async run(env: Readonly<Record<string, string>> = {}): Promise<AgentProcess> {
    const sessions = this.server.journals.length;
    this.#process = new AgentProcess(this.home, ['run'], env);
    await waitFor(() => this.server.journals.length > sessions, { describe: 'the agent to be online', timeoutMs: 30_000 });
    return this.#process;
  }

  async kill(): Promise<void> {
    this.#process?.signal('SIGKILL');
    await this.#process?.ended;
    this.#process = undefined;
  }

  /** A database of some megabytes. */
  async shop(): Promise<string> {
    const name = await this.postgres.createDatabase();
    const client = new Client({ connectionString: this.postgres.url(name) });
    await client.connect();
    await client.query(
      `CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, note text);
       INSERT INTO customers SELECT i, 'Müşteri ' || i, md5(i::text) || md5((i * 7)::text) FROM generate_series(1, ${ROWS}) i;
       CREATE TABLE empty (id int);`,
    );
    await client.end();
    return name;
  }

  connection(database: string): Connection {
    const { host, port, superuser } = this.postgres;
    return {
      type: 'postgresql',
      host,
      port,
      username: superuser,
      database,
      tlsMode: 'disable',
      tlsCa: null,
      passwordRef: 'password-1',
    };
  }

  /** The superuser's password as the server keeps it: sealed to the agent. */
  sealed(password = this.postgres.password): Promise<SealedSecret> {
    return this.#seal({ ref: 'password-1', purpose: 'database-password', plaintext: password });
  }

  sealedKek(ref: string, kek: Uint8Array): Promise<SealedSecret> {
    return this.#seal({ ref, purpose: 'passphrase-kek', plaintext: kek });
  }

  async #seal(secret: { ref: string; purpose: SealedSecret['purpose']; plaintext: string | Uint8Array }): Promise<SealedSecret> {
    const { identity, keys } = this.server.agent;
    const { ref, purpose, plaintext } = secret;
    const binding = { purpose, subject: 'database-1', version: 1 };
    const recipient = { agentId: identity.agentId, recipientPublicKey: keys.seal.publicKey };
    return { ref, ...binding, ...(await sealSecret({ ...binding, ...recipient, plaintext })) };
  }

  async backupCommand(
    database: string,
    fields: Partial<CommandPayloads['job:execute']> = {},
  ): Promise<CommandEnvelope<'job:execute'>> {
    const { workspaceId } = this.server.agent.identity;
    this.#fence += 1;
    const location: BackupLocation = {
      backupId: randomUUID(),
      fence: this.#fence,
      backupType: 'full',
      workspaceId,
      databaseId: '00000000-0000-4000-8000-000000000001',
    };
    const payload = backupPayload({
      location,
      connection: this.connection(database),
      recoveryRecipient: this.recovery.recipient,
      ...fields,
    });
    const command = envelope(this.server.agent, 'job:execute', {
      payload,
      resource: 'backup:job-1',
      fence: this.#fence,
      sealed: [await this.sealed()],
    });
    this.server.storage.locations.set(command.commandId, payload.location);
    return command;
  }

  async restoreCommand(
    database: string,
    fields: Pick<CommandPayloads['restore:execute'], 'backup' | 'targetDatabase'> & Partial<CommandPayloads['restore:execute']>,
  ): Promise<CommandEnvelope<'restore:execute'>> {
    this.#fence += 1;
    return envelope(this.server.agent, 'restore:execute', {
      payload: {
        restoreId: randomUUID(),
        connection: this.connection(database),
        timeLimitMs: 600_000,
        links: [],
        ...WHOLE_RESTORE,
        ...fields,
      },
      resource: `restore:database-1/${fields.targetDatabase}`,
      fence: this.#fence,
      sealed: [await this.sealed()],
    });
  }

  /** The one result of a command. */
  async result(command: CommandEnvelope, timeoutMs = 60_000) {
    return waitFor(() => this.server.results().find(({ message }) => message.commandId === command.commandId), {
      describe: `the result of ${command.type}`,
      timeoutMs,
    });
  }

  async databases(): Promise<string[]> {
    const rows = await this.postgres.query('SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1');
    return rows.map(([name]) => String(name));
  }
}
