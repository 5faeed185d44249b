import { randomUUID } from 'node:crypto';
import type {
  CommandType,
  ErrorBody,
  RestoreAnswer,
  RestorePayload,
  RestoreView,
  SessionAnswer,
  SwapPayload,
  TableComparison,
} from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { TEST_PASSWORD, type RunningApi } from '../../../testing/start-api.js';
import { BackupScene, DoorAgent, EMPTY_WORDS, type SentCommand } from '../../backups/testing/backup-scene.js';

const EQUAL: TableComparison = { schema: 'public', table: 'orders', rows: 3, restoredRows: 3, equal: true };

type Answer<T> = Promise<{ status: number; body: T & ErrorBody }>;
type Deed = 'swap' | 'undo' | 'discard';

/** A backup scene with one good backup, and what people and agents do with restores of it. */
export class RestoreScene {
  private constructor(
    readonly base: BackupScene,
    readonly backupId: string,
  ) {}

  static async create(api: RunningApi): Promise<RestoreScene> {
    const base = await BackupScene.create(api);
    const { backupId } = await base.succeeded(await base.job());
    return new RestoreScene(base, backupId);
  }

  get agent(): DoorAgent {
    return this.base.agent;
  }

  sql(statement: string, values: unknown[] = []): Promise<unknown[][]> {
    return this.base.sql(statement, values);
  }

  async call<T>(method: string, path: string, request: { body?: unknown; token?: string } = {}): Answer<T> {
    const { body, token = this.base.owner.accessToken } = request;
    const answer = await this.base.api.call(method, path, { token, ...(body === undefined ? {} : { body }) });
    return answer as Awaited<Answer<T>>;
  }

  restore(body: object, token?: string): Answer<RestoreAnswer> {
    return this.call('POST', `/v1/backups/history/${this.backupId}/restore`, { body, ...(token === undefined ? {} : { token }) });
  }

  deed(id: string, deed: Deed, confirmDatabase: string, token?: string): Answer<RestoreView> {
    const request = { body: { confirmDatabase }, ...(token === undefined ? {} : { token }) };
    return this.call('POST', `/v1/restores/${id}/${deed}`, request);
  }

  async view(id: string): Promise<RestoreView> {
    return (await this.call<RestoreView>('GET', `/v1/restores/${id}`)).body;
  }

  /** The newest command of a type for an operation; also one that is on its way. */
  newest<T>(type: CommandType, resource: string): Promise<SentCommand<T>> {
    return waitFor(
      async () => {
        const [row] = await this.sql('SELECT 1 FROM commands WHERE type = $1 AND resource LIKE $2', [type, resource]);
        return row === undefined ? undefined : this.base.command<T>(type, await this.resourceLike(type, resource));
      },
      { describe: `a ${type} for ${resource}` },
    );
  }

  private async resourceLike(type: CommandType, pattern: string): Promise<string> {
    const [row] = await this.sql('SELECT resource FROM commands WHERE type = $1 AND resource LIKE $2 ORDER BY sequence DESC', [
      type,
      pattern,
    ]);
    return String(row?.[0]);
  }

  async complete(id: string, by: DoorAgent = this.agent): Promise<void> {
    const { targetDatabase, targetDatabaseId } = await this.view(id);
    const command = await this.base.command<RestorePayload>('restore:execute', `restore:${targetDatabaseId}/${targetDatabase}`);
    await by.say('restore:completed', {
      ...by.report(command),
      restoreId: id,
      targetDatabase,
      tables: [EQUAL],
      bytesRestored: 10,
      ...EMPTY_WORDS,
    });
  }

  /** The agent's answer to the newest swap, undo or discard of a live database. */
  async answer(
    deed: Deed,
    live: string,
    fields: { error?: { code: string; message: string } } = {},
  ): Promise<SentCommand<SwapPayload>> {
    const command = await this.base.command<SwapPayload>(`restore:${deed}`, `swap:${this.base.databaseId}/${live}`);
    await this.agent.say(`restore:${deed}:result`, { ...this.result(command), ...fields });
    return command;
  }

  result(command: SentCommand<SwapPayload>) {
    const { restoreId, liveDatabase, retiredDatabase } = command.payload;
    return { ...this.agent.report(command), restoreId, liveDatabase, retiredDatabase, drainedSessions: 2 };
  }

  /** A restore whose copy is in the live database's place. */
  async swapped(live = 'shop', fields: object = {}): Promise<RestoreView> {
    const { status, body } = await this.restore({ mode: 'swap', confirmDatabase: live, ...fields });
    if (status !== 201) throw new Error(`restore answered ${status}: ${JSON.stringify(body)}`);
    await this.complete(body.restoreHistoryId);
    await this.answer('swap', live);
    return this.view(body.restoreHistoryId);
  }

  /** Every new restore of this scene gets a live database of its own. */
  async renameLive(name: string): Promise<void> {
    await this.sql('UPDATE databases SET database_name = $2 WHERE id = $1', [this.base.databaseId, name]);
  }

  async offline<T>(agent: DoorAgent, work: () => Promise<T>): Promise<T> {
    await this.sql('UPDATE agents SET session_id = NULL WHERE id = $1', [agent.id]);
    try {
      return await work();
    } finally {
      await this.sql('UPDATE agents SET session_id = $2 WHERE id = $1', [agent.id, `socket-${agent.id}`]);
    }
  }

  /** Another database of the workspace, with an agent of its own. */
  async otherDatabase(type = 'postgresql'): Promise<{ id: string; agent: DoorAgent }> {
    const agent = new DoorAgent(this.base.api, this.base.owner.workspaceId);
    await this.base.insertAgent(agent);
    const id = randomUUID();
    await this.sql(
      `INSERT INTO databases (id, workspace_id, agent_id, name, type, host, port, username, database_name)
       VALUES ($1, $2, $3, 'Other', $4, 'localhost', 5432, 'other', 'warehouse')`,
      [id, this.base.owner.workspaceId, agent.id, type],
    );
    return { id, agent };
  }

  /** A colleague whose log-in is hours old, and how to type the password again. */
  async colleague(role: string): Promise<{ token: string; stepUp: () => Promise<string> }> {
    const email = `${role}-${randomUUID()}@example.com`;
    const member = { email, name: role, password: TEST_PASSWORD, role };
    const { body: person } = await this.call<{ id: string }>('POST', '/v1/workspace/members', { body: member });
    const login = await this.base.api.call('POST', '/v1/auth/login', { body: { email, password: TEST_PASSWORD } });
    await this.sql(`UPDATE refresh_tokens SET created_at = created_at - interval '3 hours' WHERE user_id = $1`, [person.id]);
    const { refreshToken } = (login.body as SessionAnswer).tokens;
    const renewed = await this.base.api.call('POST', '/v1/auth/refresh', { body: { refreshToken } });
    const token = (renewed.body as { accessToken: string }).accessToken;
    const stepUp = async (): Promise<string> => {
      const { body } = await this.call<{ accessToken: string }>('POST', '/v1/auth/step-up', {
        token,
        body: { password: TEST_PASSWORD },
      });
      return body.accessToken;
    };
    return { token, stepUp };
  }

  async audited(id: string): Promise<string[]> {
    const rows = await this.sql('SELECT action FROM audit_events WHERE target_id = $1 ORDER BY at, id', [id]);
    return rows.map(([action]) => String(action));
  }
}
