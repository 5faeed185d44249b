import type { Role } from '@rahatback/contracts';
import { testSecret } from '@rahatback/testing';
import { TEST_PASSWORD } from '../../testing/start-api.js';
import type { Credentials, Ids } from './world.js';

/**
 * Who may: the least role (owner ⊃ admin ⊃ operator ⊃ viewer), everybody without a log-in, or whoever holds the credential that the request itself
 * carries (a code, a ticket, a password).
 */
export type Who = Role | 'anybody' | 'credential';

/** What a request carries apart from its method and path. `id` and `ticket` fill the path. */
export interface Asked {
  readonly id?: string;
  readonly ticket?: string;
  readonly query?: string;
  readonly body?: unknown;
  readonly bytes?: Buffer;
}

type Ask = (ids: Ids, credentials: Credentials) => Asked;

export interface RouteRow {
  readonly who: Who;
  readonly ask: Ask;
  /** The same without the credential. */
  readonly forged?: Asked;
  /** It waits for an agent's answer: who may is tried while the agent is offline. */
  readonly waits?: true;
  /** What it shows is not there in this test: 404 is an answer to who may, too. */
  readonly absent?: true;
}

type Options = Pick<RouteRow, 'waits' | 'absent'>;

const nothing: Ask = () => ({});
const row =
  (who: Role) =>
  (ask: Ask = nothing, options: Options = {}): RouteRow => ({ who, ask, ...options });
const [viewer, operator, admin, owner] = [row('viewer'), row('operator'), row('admin'), row('owner')];
const anybody = (ask: Ask = nothing, options: Options = {}): RouteRow => ({ who: 'anybody', ask, ...options });
const credential = (ask: Ask, forged: Asked): RouteRow => ({ who: 'credential', ask, forged });

const NEW_PASSWORD = testSecret('another-person-password');
const PERSON = { password: TEST_PASSWORD, name: 'New' };
const CONNECTION = { type: 'postgresql', host: 'localhost', port: 5432, username: 'shop', database: 'shop' };
const KEY = Buffer.alloc(32, 7).toString('base64');
const DISK = { storageType: 'local', name: 'Another disk', path: 'another' };
const LIVE = { confirmDatabase: 'shop' };

/** One row a route, or a row for each way of asking (after `#`) where it matters. Viewers read; operators run, restore beside, verify and take away; admins set up; owners decide about people and trust. */
export const ROUTES: Readonly<Record<string, RouteRow>> = {
  'GET /docs': anybody(),
  'GET /docs/': anybody(),
  'GET /docs/swagger-ui-init.js': anybody(),
  'GET /docs/docs/swagger-ui-init.js': anybody(),
  'GET /docs/index.html': anybody(),
  'GET /docs/LICENSE': anybody(nothing, { absent: true }),
  'GET /docs-json': anybody(),
  'GET /docs-yaml': anybody(),
  'GET /health/live': anybody(),
  'GET /health/ready': anybody(),
  'GET /metrics': anybody(),

  'POST /v1/auth/register': anybody((_ids, { fresh }) => ({ body: { ...PERSON, email: fresh() } })),
  'POST /v1/auth/login': credential((_ids, { email }) => ({ body: { email, password: TEST_PASSWORD } }), {
    body: { email: 'nobody@example.com', password: 'not the password' },
  }),
  'POST /v1/auth/login/totp': credential((_ids, { secondStep }) => ({ body: secondStep() }), {
    body: { challenge: 'e30.AAAA', code: '000000' },
  }),
  'POST /v1/auth/refresh': credential((_ids, { refreshToken }) => ({ body: { refreshToken } }), { body: { refreshToken: 'x' } }),
  'POST /v1/auth/logout': anybody((_ids, { refreshToken }) => ({ body: { refreshToken } })),
  'POST /v1/auth/step-up': viewer(() => ({ body: { password: TEST_PASSWORD } })),
  'GET /v1/auth/me': viewer(),
  'POST /v1/auth/password': viewer(() => ({ body: { currentPassword: TEST_PASSWORD, newPassword: NEW_PASSWORD } })),
  'GET /v1/auth/sessions': viewer(),
  'DELETE /v1/auth/sessions/:id': viewer(({ session }) => ({ id: session }), { absent: true }),
  'POST /v1/auth/sessions/end-others': viewer(),
  'GET /v1/auth/totp': viewer(),
  'POST /v1/auth/totp/enrol': viewer(),
  'POST /v1/auth/totp/confirm': viewer(() => ({ body: { code: '000000' } })),
  'POST /v1/auth/totp/recovery-codes': viewer(),
  'DELETE /v1/auth/totp': viewer(),

  'POST /v1/api-tokens': viewer(() => ({ body: { name: 'Program', scopes: ['read'] } })),
  'GET /v1/api-tokens': viewer(),
  'DELETE /v1/api-tokens/:id': viewer(({ apiToken }) => ({ id: apiToken }), { absent: true }),

  'GET /v1/workspace': viewer(),
  'PATCH /v1/workspace': owner(() => ({ body: { name: 'Renamed' } })),
  'GET /v1/workspace/members': viewer(),
  'POST /v1/workspace/members': owner((_ids, { fresh }) => ({ body: { ...PERSON, email: fresh(), role: 'viewer' } })),
  'GET /v1/workspace/trust': viewer(),
  'GET /v1/audit': viewer(),
  'GET /v1/audit/checkpoint': viewer(nothing, { absent: true }),
  'GET /v1/audit/verify': admin(),
  'GET /v1/audit/export': admin(),

  'POST /v1/agents/enrol-codes': admin(() => ({ body: { label: 'new box' } })),
  'POST /v1/agents/enrol': credential((_ids, { enrolment }) => ({ body: enrolment('good') }), { body: undefined }),
  'GET /v1/agents': viewer(),
  'GET /v1/agents/:id': viewer(({ agent }) => ({ id: agent })),
  'POST /v1/agents/:id/revoke': admin(({ agent }) => ({ id: agent })),
  'POST /v1/agents/:id/reaccept': admin(({ quarantined }) => ({ id: quarantined, body: { fingerprint: 'six words' } })),

  'POST /v1/databases/test-connection': admin(({ agent }) => ({ body: { ...CONNECTION, agentId: agent } }), { waits: true }),
  'POST /v1/databases': admin(({ agent }) => ({ body: { ...CONNECTION, name: 'Second', agentId: agent } })),
  'GET /v1/databases': viewer(),
  'GET /v1/databases/:id': viewer(({ database }) => ({ id: database })),
  'PATCH /v1/databases/:id': admin(({ database }) => ({ id: database, body: { name: 'Renamed' } })),
  'DELETE /v1/databases/:id': admin(({ idleDatabase }) => ({ id: idleDatabase })),
  'POST /v1/databases/:id/rebind': admin(({ idleDatabase, idleAgent }) => ({ id: idleDatabase, body: { agentId: idleAgent } })),
  'POST /v1/databases/:id/test-connection': operator(({ database }) => ({ id: database }), { waits: true }),

  'POST /v1/storages': admin(({ agent }) => ({ body: { ...DISK, path: 'folder', agentId: agent } })),
  'POST /v1/storages/test': admin(() => ({ body: DISK })),
  'GET /v1/storages': viewer(),
  'GET /v1/storages/:id': viewer(({ storage }) => ({ id: storage })),
  'PATCH /v1/storages/:id': admin(({ storage }) => ({ id: storage, body: { name: 'Renamed' } })),
  'DELETE /v1/storages/:id': admin(({ idleStorage }) => ({ id: idleStorage })),
  'POST /v1/storages/:id/test': operator(({ storage }) => ({ id: storage })),
  'POST /v1/storages/:id/reconcile': operator(({ storage }) => ({ id: storage, body: {} })),
  'POST /v1/storages/:id/import': owner(({ storage, agent }) => ({
    id: storage,
    body: { agents: [{ agentId: agent, signPublicKey: KEY }], dryRun: true },
  })),

  'POST /v1/backups/jobs': admin(({ database, storage }) => ({
    body: { databaseId: database, cloudStorageId: storage, storageType: 'local', name: 'Weekly' },
  })),
  'GET /v1/backups/jobs': viewer(),
  'GET /v1/backups/jobs/:id': viewer(({ job }) => ({ id: job })),
  'PATCH /v1/backups/jobs/:id': admin(({ job, storage }) => ({ id: job, body: { name: 'Renamed', cloudStorageId: storage } })),
  'DELETE /v1/backups/jobs/:id': admin(({ job }) => ({ id: job })),
  'POST /v1/backups/jobs/:id/run': operator(({ job }) => ({ id: job })),

  'GET /v1/backups/history': viewer(({ database, job }) => ({ query: `databaseId=${database}&jobId=${job}` })),
  'GET /v1/backups/history/:id': viewer(({ backup }) => ({ id: backup })),
  'POST /v1/backups/history/:id/cancel': operator(({ runningBackup }) => ({ id: runningBackup })),
  'DELETE /v1/backups/history/:id': admin(({ idleBackup }) => ({ id: idleBackup })),
  'GET /v1/backups/history/:id/download': operator(({ backup }) => ({ id: backup })),
  'GET /v1/downloads/:ticket': credential((_ids, { download }) => ({ ticket: download }), { ticket: 'e30.AAAA' }),
  'POST /v1/backups/history/:id/export': operator(({ idleBackup }) => ({ id: idleBackup })),
  'GET /v1/backups/exports/:id': viewer(({ exported }) => ({ id: exported })),
  'PUT /v1/parts/:ticket': credential((_ids, { putPart, part }) => ({ ticket: putPart, bytes: part }), {
    ticket: 'e30.AAAA',
    bytes: Buffer.from('x'),
  }),
  'GET /v1/parts/:ticket': credential((_ids, { getPart }) => ({ ticket: getPart }), { ticket: 'e30.AAAA' }),

  'POST /v1/backups/history/:id/restore': operator(({ backup, database }) => ({
    id: backup,
    body: { targetDatabase: 'beside', targetDatabaseId: database },
  })),
  'POST /v1/backups/history/:id/restore#swap': admin(({ backup, database }) => ({
    id: backup,
    body: { mode: 'swap', targetDatabaseId: database, ...LIVE },
  })),
  'POST /v1/backups/history/:id/restore/preflight': operator(
    ({ backup, database }) => ({ id: backup, body: { targetDatabaseId: database } }),
    { waits: true },
  ),
  'GET /v1/backups/history/:id/keys': operator(({ backup, database }) => ({ id: backup, query: `targetDatabaseId=${database}` })),
  'GET /v1/restores': viewer(),
  'GET /v1/restores/:id': viewer(({ restore }) => ({ id: restore })),
  'POST /v1/restores/:id/cancel': operator(({ restore }) => ({ id: restore })),
  'POST /v1/restores/:id/swap': admin(({ swapped }) => ({ id: swapped, body: LIVE })),
  'POST /v1/restores/:id/undo': admin(({ swapped }) => ({ id: swapped, body: LIVE })),
  'POST /v1/restores/:id/discard': admin(({ swapped }, { retired }) => ({ id: swapped, body: { confirmDatabase: retired } })),

  'POST /v1/backups/history/:id/verify': operator(({ idleBackup }) => ({ id: idleBackup, body: { verificationLevel: 'BASIC' } })),
  'GET /v1/backups/history/:id/verifications': viewer(({ backup }) => ({ id: backup })),
  'GET /v1/verifications': viewer(({ backup, database }) => ({ query: `backupId=${backup}&databaseId=${database}` })),
  'GET /v1/verifications/:id': viewer(({ verification }) => ({ id: verification })),
  'POST /v1/verifications/:id/cancel': operator(({ verification }) => ({ id: verification })),
};
