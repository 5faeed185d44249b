import { createHash, randomUUID } from 'node:crypto';
import type {
  BackupPayload,
  DownloadAnswer,
  ExportAnswer,
  SessionAnswer,
  SessionView,
  SignedRequest,
  UploadBeginAnswer,
} from '@rahatback/contracts';
import { enrolProofBytes, generateSealKeyPair, generateSigningKeyPair, signBytes } from '@rahatback/crypto';
import { sha256Hex } from '../../modules/agents/enrol-code.js';
import { newCode } from '../../modules/agents/testing/agent-scene.js';
import { LoginChallenges } from '../../modules/auth/login-challenges.service.js';
import { PeopleRepository } from '../../modules/auth/people.repository.js';
import { codeAt, enrolTotp } from '../../modules/auth/testing/authenticator.js';
import { DoorAgent, type BackupScene, type SentCommand } from '../../modules/backups/testing/backup-scene.js';
import { RestoreScene } from '../../modules/restore/testing/restore-scene.js';
import { VerificationTalk, type VerificationCommand } from '../../modules/verification/testing/verification-scene.js';
import type { RunningApi } from '../../testing/start-api.js';
import { TEST_PASSWORD } from '../../testing/start-api.js';

const KINDS = [
  'agent',
  'database',
  'storage',
  'job',
  'backup',
  'runningBackup',
  'restore',
  'swapped',
  'verification',
  'exported',
  'quarantined',
  'idleAgent',
  'idleDatabase',
  'idleStorage',
  'idleBackup',
  'session',
  'apiToken',
] as const;
export type Kind = (typeof KINDS)[number];

/** One object of each kind, by id. */
export type Ids = Readonly<Record<Kind, string>>;

/** What is a right by itself, whoever shows it. */
export interface Credentials {
  /** An address that nobody has yet. */
  fresh(): string;
  readonly email: string;
  readonly refreshToken: string;
  /** The body of a second step of log-in, good for once. */
  secondStep(): object;
  /** The body of an agent's enrolment; 'forged' signs with another key than it shows. */
  enrolment(kind: 'good' | 'forged'): object;
  readonly download: string;
  readonly putPart: string;
  readonly getPart: string;
  readonly part: Buffer;
  /** Under which name the swapped-out database is kept. */
  readonly retired: string;
}

/** Ids that no workspace has. */
export const unknownIds = (): Ids => Object.fromEntries(KINDS.map((kind) => [kind, randomUUID()])) as Record<Kind, string>;

/** A workspace with one object of every kind, each at a point where something can still be done with it. */
export class World {
  private constructor(
    readonly api: RunningApi,
    readonly scene: RestoreScene,
    readonly ids: Ids,
    readonly credentials: Credentials,
    readonly commands: { readonly backup: SentCommand<BackupPayload>; readonly verification: VerificationCommand },
  ) {}

  static async create(api: RunningApi): Promise<World> {
    const scene = await RestoreScene.create(api);
    const { base, backupId } = scene;
    const idle = await idleObjects(scene);
    const swapped = await scene.swapped();
    const running = await base.started(await base.job());
    const restore = await scene.restore({ targetDatabase: 'running_restore' });
    const verification = await new VerificationTalk(base).begun(backupId);
    const exported = await base.call<ExportAnswer>('POST', `/v1/backups/history/${backupId}/export`);
    const ids: Ids = {
      ...idle,
      agent: base.agent.id,
      database: base.databaseId,
      storage: base.storageId,
      job: await base.job(),
      backup: backupId,
      runningBackup: running.backupId,
      restore: restore.body.restoreHistoryId,
      swapped: swapped.id,
      verification: verification.payload.verificationId,
      exported: exported.body.commandId,
      session: await otherSession(base),
      apiToken: (await base.call<{ id: string }>('POST', '/v1/api-tokens', { name: 'Known', scopes: ['read'] })).body.id,
    };
    const holes = Object.entries(ids).filter(([, id]) => typeof id !== 'string');
    if (holes.length > 0) throw new Error(`Not made: ${holes.map(([kind]) => kind).join(', ')}`);
    const credentials = {
      ...(await tickets(base, running.command, { verification, backupId })),
      ...(await logIn(base)),
      secondStep: await secondStep(base),
      retired: swapped.retiredDatabase ?? '',
    };
    return new World(api, scene, ids, credentials, { backup: running.command, verification });
  }

  get workspaceId(): string {
    return this.scene.base.owner.workspaceId;
  }
}

/** Objects that nothing works with, so that they can be moved and deleted. */
async function idleObjects(scene: RestoreScene) {
  const { base } = scene;
  const [quarantined, idleAgent] = [
    new DoorAgent(base.api, base.owner.workspaceId),
    new DoorAgent(base.api, base.owner.workspaceId),
  ];
  for (const agent of [quarantined, idleAgent]) await base.insertAgent(agent);
  await base.sql(`UPDATE agents SET state = 'quarantined', session_id = NULL WHERE id = $1`, [quarantined.id]);
  const storage = await base.call<{ id: string }>('POST', '/v1/storages', { storageType: 'local', name: 'Idle', path: 'idle' });
  return {
    quarantined: quarantined.id,
    idleAgent: idleAgent.id,
    idleDatabase: (await scene.otherDatabase()).id,
    idleStorage: storage.body.id,
    idleBackup: (await base.succeeded(await base.job())).backupId,
  };
}

async function logIn({ api, owner }: BackupScene) {
  const code = await newCode(api, owner);
  return {
    fresh: () => `person-${randomUUID()}@example.com`,
    email: owner.email,
    refreshToken: owner.refreshToken,
    enrolment: (kind: 'good' | 'forged') => enrolmentOf(code, kind),
  };
}

/** A log-in of the owner that nothing works with. */
async function otherSession({ api, owner }: BackupScene): Promise<string> {
  await api.call('POST', '/v1/auth/login', { body: { email: owner.email, password: TEST_PASSWORD } });
  const { body } = await api.call('GET', '/v1/auth/sessions', { token: owner.accessToken });
  return (body as SessionView[]).find(({ current }) => !current)?.id ?? '';
}

/** A member with an authenticator, who has typed the password. */
async function secondStep({ api, owner }: BackupScene): Promise<() => object> {
  const member = { email: `totp-${randomUUID()}@example.com`, password: TEST_PASSWORD };
  await api.call('POST', '/v1/workspace/members', {
    token: owner.accessToken,
    body: { ...member, name: 'Has a code', role: 'viewer' },
  });
  const session = (await api.call('POST', '/v1/auth/login', { body: member })).body as SessionAnswer;
  const { secret } = await enrolTotp(api, session.tokens.accessToken);
  await api.postgres.query(`UPDATE totp_factors SET last_step = 0 WHERE user_id = '${session.user.id}'`);
  const person = await api.app.get(PeopleRepository).findById(session.user.id, owner.workspaceId, '127.0.0.1');
  if (!person) throw new Error('The member with an authenticator is not there.');
  return () => ({ challenge: api.app.get(LoginChallenges).issue(person).challenge, code: codeAt(secret) });
}

function enrolmentOf(code: string, kind: 'good' | 'forged'): object {
  const sign = generateSigningKeyPair();
  const keys = { signPublicKey: sign.publicKey, sealPublicKey: generateSealKeyPair().publicKey };
  const signer = kind === 'good' ? sign : generateSigningKeyPair();
  const proof = signBytes(signer.privateKey, enrolProofBytes({ codeSha256Hex: sha256Hex(code), ...keys }));
  return { code, deviceName: 'new box', platform: 'linux x64', version: '0.1.0', ...keys, proof };
}

const lastOf = (url: string): string => url.slice(url.lastIndexOf('/') + 1);

interface Reading {
  readonly verification: VerificationCommand;
  readonly backupId: string;
}

async function tickets(base: BackupScene, command: SentCommand<BackupPayload>, { verification, backupId }: Reading) {
  const { agent } = base;
  const part = Buffer.from('a part of a backup');
  const hash = (algorithm: string) => createHash(algorithm).update(part);
  const object = { ...agent.report(command), object: 'data-00001' };
  await agent.say<UploadBeginAnswer>('upload:begin', object);
  const put = await agent.say<SignedRequest>('upload:part', {
    ...object,
    partNumber: 1,
    sizeBytes: part.length,
    sha256: hash('sha256').digest('hex'),
    md5: hash('md5').digest('base64'),
  });
  const open = { ...agent.report(verification), location: verification.payload.backup, object: 'data-00001' };
  const { request } = await agent.say<{ request: SignedRequest }>('download:open', open);
  const download = await base.call<DownloadAnswer>('GET', `/v1/backups/history/${backupId}/download`);
  return { part, putPart: lastOf(put.url), getPart: lastOf(request.url), download: lastOf(download.body.url) };
}
