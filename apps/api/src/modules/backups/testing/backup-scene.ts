import { createHash, randomUUID } from 'node:crypto';
import type {
  BackupDetailView,
  BackupPayload,
  CommandType,
  RunAnswer,
  SignedRequest,
  UploadBeginAnswer,
  UploadPublishAnswer,
} from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { generateRecoveryIdentity, generateSealKeyPair, generateSigningKeyPair } from '@rahatback/crypto';
import type { StorageBackend } from '@rahatback/storage';
import { waitFor } from '@rahatback/testing';
import { AgentMessageRouter } from '../../../platform/realtime/agent-message-router.js';
import type { AgentSession } from '../../../platform/realtime/agent-session.js';
import type { Registered, RunningApi } from '../../../testing/start-api.js';
import { StorageFactory } from '../../storages/index.js';
import { handMadeBackup, manifestContent, type HandMadeAgent, type HandMadeBackup } from './hand-made-backup.js';

export interface SentCommand<T> {
  readonly id: string;
  readonly fence: number;
  readonly payload: T;
  readonly state: string;
}

export const EMPTY_WORDS = { steps: [], logTail: 'pg_dump: done' };

const PART_BYTES = 8 * 1024 * 1024;

interface KeyPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

const newIdentity = () => ({ id: randomUUID(), signing: generateSigningKeyPair(), sealing: generateSealKeyPair() });

/**
 * An agent at the server's door: speaks to the handlers that modules have registered, as the gateway would for a socket that has proved itself, and
 * sends its parts over HTTP like any other.
 */
export class DoorAgent implements HandMadeAgent {
  readonly id: string;
  readonly signing: KeyPair;
  readonly sealing: KeyPair;

  constructor(
    private readonly api: RunningApi,
    readonly workspaceId: string,
    identity: { readonly id: string; readonly signing: KeyPair; readonly sealing: KeyPair } = newIdentity(),
  ) {
    this.id = identity.id;
    this.signing = identity.signing;
    this.sealing = identity.sealing;
  }

  get signPrivateKey(): string {
    return this.signing.privateKey;
  }

  get sealPublicKey(): string {
    return this.sealing.publicKey;
  }

  /** Ordinary answers are returned, refusals thrown, as the gateway makes them acknowledgements. */
  async say<T>(event: string, message: object): Promise<T> {
    const handler = this.api.app.get(AgentMessageRouter).handlerOf(event);
    if (handler === undefined) throw new Error(`Nobody answers ${event}.`);
    const session: AgentSession = {
      agentId: this.id,
      workspaceId: this.workspaceId,
      socketId: `socket-${this.id}`,
      generation: 1,
    };
    return (await handler(session, message)) as T;
  }

  async upload(command: SentCommand<BackupPayload>, object: string, bytes: Buffer): Promise<void> {
    const sent = await this.send(command, object, bytes);
    await this.say('upload:complete', { ...this.report(command), ...sent });
  }

  /** Everything but the completion. */
  async send(command: SentCommand<BackupPayload>, object: string, bytes: Buffer) {
    await this.say<UploadBeginAnswer>('upload:begin', { ...this.report(command), object });
    const parts = [];
    for (let offset = 0; offset < bytes.length; offset += PART_BYTES) {
      const body = bytes.subarray(offset, offset + PART_BYTES);
      const part = {
        partNumber: offset / PART_BYTES + 1,
        sizeBytes: body.length,
        sha256: createHash('sha256').update(body).digest('hex'),
        md5: createHash('md5').update(body).digest('base64'),
      };
      const request = await this.say<SignedRequest>('upload:part', { ...this.report(command), object, ...part });
      const response = await fetch(request.url, { method: request.method, headers: request.headers, body: new Uint8Array(body) });
      if (!response.ok) throw new Error(`A part was answered with ${response.status}: ${await response.text()}`);
      parts.push({ ...part, etag: response.headers.get('etag') ?? '' });
    }
    return { object, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), parts };
  }

  async uploadAll(command: SentCommand<BackupPayload>, plainBytes = 1000): Promise<HandMadeBackup> {
    const made = await handMadeBackup(command.payload, this, plainBytes);
    for (const [object, bytes] of made.objects) await this.upload(command, object, bytes);
    await this.publish(command, 'keys-1.json', made.keys.toString('base64'));
    return made;
  }

  publish(command: SentCommand<BackupPayload>, object: string, content: string): Promise<UploadPublishAnswer> {
    return this.say('upload:publish', { ...this.report(command), object, content });
  }

  publishManifest(
    command: SentCommand<BackupPayload>,
    { manifest }: Pick<HandMadeBackup, 'manifest'>,
  ): Promise<UploadPublishAnswer> {
    return this.publish(command, 'manifest.json', manifestContent(manifest));
  }

  async completeBackup(command: SentCommand<BackupPayload>, plainBytes = 1000): Promise<HandMadeBackup> {
    const made = await this.uploadAll(command, plainBytes);
    const { sha256 } = await this.publishManifest(command, made);
    const report = { ...this.report(command), backupId: command.payload.location.backupId, manifestSha256: sha256 };
    await this.say('backup:completed', { ...report, ...EMPTY_WORDS });
    return made;
  }

  fail(command: SentCommand<unknown>, code: string): Promise<unknown> {
    return this.say('backup:failed', { ...this.report(command), error: { code, message: `${code} happened.` }, ...EMPTY_WORDS });
  }

  report({ id, fence }: Pick<SentCommand<unknown>, 'id' | 'fence'>): { commandId: string; fence: number } {
    return { commandId: id, fence };
  }
}

/** A workspace with an online agent, a database, a storage on the server's disk, and a job. */
export class BackupScene {
  readonly databaseId = randomUUID();
  /** Where jobs put their backups unless told otherwise. */
  storageId: string = randomUUID();

  private constructor(
    readonly api: RunningApi,
    readonly owner: Registered,
    readonly agent: DoorAgent,
  ) {}

  static async create(api: RunningApi): Promise<BackupScene> {
    const owner = await api.register();
    const scene = new BackupScene(api, owner, new DoorAgent(api, owner.workspaceId));
    const recovery = await generateRecoveryIdentity();
    await scene.sql('UPDATE workspaces SET recovery_recipient = $2 WHERE id = $1', [owner.workspaceId, recovery.recipient]);
    await scene.insertAgent(scene.agent);
    await scene.sql(
      `INSERT INTO databases (id, workspace_id, agent_id, name, type, host, port, username, database_name)
       VALUES ($1, $2, $3, 'Shop', 'postgresql', 'localhost', 5432, 'shop', 'shop')`,
      [scene.databaseId, owner.workspaceId, scene.agent.id],
    );
    await scene.sql(
      `INSERT INTO storages (id, workspace_id, storage_type, name, settings) VALUES ($1, $2, 'local', 'Disk', '{}')`,
      [scene.storageId, owner.workspaceId],
    );
    await scene.makeFolder();
    return scene;
  }

  /** A disk storage that has never held anything has no folder yet, and cannot be listed. */
  private async makeFolder(): Promise<void> {
    const backend = await this.backend();
    await backend.putIfAbsent('first', Buffer.from('x'));
    await backend.delete('first');
  }

  async insertAgent(agent: DoorAgent): Promise<void> {
    await this.sql(
      `INSERT INTO agents (id, workspace_id, device_name, platform, version, sign_public_key, seal_public_key, fingerprint, session_id, last_seen_at)
       VALUES ($1, $2, 'box', 'linux', '0.1.0', $3, $4, 'six words', $5, now() + interval '1 hour')`,
      [agent.id, this.owner.workspaceId, agent.signing.publicKey, agent.sealing.publicKey, `socket-${agent.id}`],
    );
  }

  async job(fields: { backupType?: string; maxChainLength?: number; storageId?: string } = {}): Promise<string> {
    const id = randomUUID();
    await this.sql(
      `INSERT INTO jobs (id, workspace_id, database_id, storage_id, name, backup_type, max_chain_length, compression)
       VALUES ($1, $2, $3, $4, 'Nightly', $5, $6, 'none')`,
      [
        id,
        this.owner.workspaceId,
        this.databaseId,
        fields.storageId ?? this.storageId,
        fields.backupType ?? 'full',
        fields.maxChainLength ?? 30,
      ],
    );
    return id;
  }

  sql(statement: string, values: unknown[] = []): Promise<unknown[][]> {
    return this.api.postgres.query(statement, values);
  }

  async call<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
    const answer = await this.api.call(method, path, { token: this.owner.accessToken, ...(body === undefined ? {} : { body }) });
    return { status: answer.status, body: answer.body as T };
  }

  run(jobId: string): Promise<{ status: number; body: RunAnswer }> {
    return this.call('POST', `/v1/backups/jobs/${jobId}/run`);
  }

  cancel(backupId: string): Promise<{ status: number; body: { code?: string; details?: { status?: string } } }> {
    return this.call('POST', `/v1/backups/history/${backupId}/cancel`);
  }

  async detail(backupId: string): Promise<BackupDetailView> {
    return (await this.call<BackupDetailView>('GET', `/v1/backups/history/${backupId}`)).body;
  }

  /** The newest command of a type that this operation has sent. */
  async command<T = BackupPayload>(type: CommandType, resource: string): Promise<SentCommand<T>> {
    const [row] = await this.sql(
      'SELECT id, fence::int, payload, state FROM commands WHERE type = $1 AND resource = $2 ORDER BY sequence DESC LIMIT 1',
      [type, resource],
    );
    if (row === undefined) throw new Error(`No ${type} was sent for ${resource}.`);
    const [id, fence, payload, state] = row as [string, number, T, string];
    return { id, fence, payload, state };
  }

  async started(jobId: string): Promise<{ backupId: string; command: SentCommand<BackupPayload> }> {
    const { status, body } = await this.run(jobId);
    if (!body.success) throw new Error(`The run was answered with ${status}: ${JSON.stringify(body)}`);
    return { backupId: body.historyId, command: await this.command('job:execute', `backup:${jobId}`) };
  }

  async succeeded(jobId: string, plainBytes?: number): Promise<{ backupId: string; command: SentCommand<BackupPayload> }> {
    const run = await this.started(jobId);
    await this.agent.completeBackup(run.command, plainBytes);
    return run;
  }

  backend(): Promise<StorageBackend> {
    const storages = this.api.app.get(StorageFactory);
    return this.api.database.inWorkspace(
      this.owner.workspaceId,
      async (tx) => (await storages.open(tx, this.owner.workspaceId, this.storageId)).backend,
    );
  }

  /** Names of objects and open uploads of a backup, as the storage itself lists them. */
  async stored(backupId: string): Promise<string[]> {
    const backend = await this.backend();
    const prefix = `${this.owner.workspaceId}/${this.databaseId}/${backupId}/`;
    const found: string[] = [];
    for await (const { key } of backend.list(prefix)) found.push(key.slice(prefix.length));
    for await (const { key } of backend.listUploads(prefix)) found.push(`${key.slice(prefix.length)} (open)`);
    return found.sort();
  }

  async untilEmpty(backupId: string): Promise<void> {
    await waitFor(async () => (await this.stored(backupId)).length === 0, {
      describe: `the storage of backup ${backupId} to be empty`,
    });
  }

  async untilClean(backupId: string, timeoutMs = 15_000): Promise<void> {
    await waitFor(
      async () => {
        const [row] = await this.sql(
          `SELECT count(*)::int FROM backup_attempts WHERE backup_id = $1 AND state IN ('failed', 'cancelled', 'fenced') AND cleaned_at IS NULL`,
          [backupId],
        );
        return row?.[0] === 0;
      },
      { describe: `the attempts of backup ${backupId} to be cleaned`, timeoutMs },
    );
  }
}

/** The code that an agent is answered with. */
export async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}
