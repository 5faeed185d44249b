import { createHash } from 'node:crypto';
import { hostname, platform, release } from 'node:os';
import type { EnrolAnswer } from '@rahatback/contracts';
import { AppError, errorFromBody } from '@rahatback/contracts';
import { enrolProofBytes, fingerprint, generateSealKeyPair, generateSigningKeyPair, signBytes } from '@rahatback/crypto';
import { unlink } from 'node:fs/promises';
import { ServerAddress } from './connection/server-address.js';
import type { AgentHome } from './state/agent-home.js';
import { isMissing } from './state/atomic-file.js';
import { readIdentity, writeIdentity, writeKeys, type AgentIdentity, type AgentKeys } from './state/identity.store.js';
import { isObject } from './state/json-shape.js';
import { ensurePolicy } from './state/policy.js';
import { pinRecovery } from './state/recovery-pin.js';
import { AGENT_VERSION } from './version.js';

const ENROL_TIMEOUT_MS = 30_000;

export interface EnrolRequest {
  readonly code: string;
  readonly serverUrl: string;
  readonly deviceName: string | null;
  /** Enrol anew although this home already holds an agent, which is then forgotten. */
  readonly replace: boolean;
}

export const platformName = (): string => `${platform()} ${release()}`.slice(0, 100);

const answerFields = [
  'agentId',
  'workspaceId',
  'serverId',
  'commandPublicKey',
  'commandKeyId',
  'fingerprint',
] as const satisfies readonly (keyof EnrolAnswer)[];

function asEnrolAnswer(value: unknown): EnrolAnswer {
  const isWhole =
    isObject(value) &&
    answerFields.every((field) => typeof value[field] === 'string') &&
    (value.recoveryRecipient === null || typeof value.recoveryRecipient === 'string');
  if (isWhole) return value as unknown as EnrolAnswer;
  throw new AppError('UNAVAILABLE', 'The address answers, but not as a RahatBack server: check --server.');
}

async function post(url: URL, body: unknown): Promise<EnrolAnswer> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(ENROL_TIMEOUT_MS),
    });
  } catch (error) {
    throw new AppError(
      'UNAVAILABLE',
      `${url.origin} does not answer: check --server, the network and the certificate.`,
      undefined,
      {
        cause: error,
      },
    );
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return asEnrolAnswer(answer);
  if (isObject(answer) && typeof answer.code === 'string') throw errorFromBody(answer);
  throw new AppError('UNAVAILABLE', `${url.origin} answered ${response.status}: check --server.`);
}

async function enrolBody(request: EnrolRequest, keys: AgentKeys, deviceName: string): Promise<Record<string, string>> {
  const signPublicKey = keys.sign.publicKey;
  const sealPublicKey = keys.seal.publicKey;
  const codeSha256Hex = createHash('sha256').update(request.code).digest('hex');
  const proof = signBytes(keys.sign.privateKey, enrolProofBytes({ codeSha256Hex, signPublicKey, sealPublicKey }));
  return {
    code: request.code,
    deviceName,
    platform: platformName(),
    version: AGENT_VERSION,
    signPublicKey,
    sealPublicKey,
    proof,
  };
}

/** What belonged to the agent that this home held before: its journal's fences mean nothing to the new one. */
async function forgetFormerAgent(home: AgentHome): Promise<void> {
  for (const path of [home.journalFile, home.sessionFile, home.statusFile, home.recoveryFile]) {
    await unlink(path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
}

/**
 * Makes keys, trades the code for an identity, pins the server's command key and the workspace's recovery key. The six words are computed here,
 * from the keys, and must be those that the server shows.
 * @throws AppError CONFLICT when this home is enrolled already, ENROL_REFUSED, UNAVAILABLE, AGENT_AUTH_FAILED when the words differ
 */
export async function enrol(home: AgentHome, request: EnrolRequest): Promise<AgentIdentity> {
  const server = new ServerAddress(request.serverUrl);
  const known = await readIdentity(home);
  if (known !== null && !request.replace) {
    throw new AppError('CONFLICT', `This machine is enrolled already as ${known.deviceName}: add --replace to enrol it anew.`);
  }
  const keys: AgentKeys = { sign: generateSigningKeyPair(), seal: generateSealKeyPair() };
  const deviceName = request.deviceName ?? hostname();
  const answer = await post(server.resolve('v1/agents/enrol'), await enrolBody(request, keys, deviceName));
  const words = fingerprint({
    signPublicKey: keys.sign.publicKey,
    sealPublicKey: keys.seal.publicKey,
    serverPublicKey: answer.commandPublicKey,
  });
  if (words !== answer.fingerprint) {
    throw new AppError('AGENT_AUTH_FAILED', 'The server shows another fingerprint: somebody stands between. Nothing was kept.');
  }
  if (known !== null) await forgetFormerAgent(home);
  const identity: AgentIdentity = {
    agentId: answer.agentId,
    workspaceId: answer.workspaceId,
    serverId: answer.serverId,
    serverUrl: server.href,
    deviceName,
    commandKeyId: answer.commandKeyId,
    commandPublicKey: answer.commandPublicKey,
    fingerprint: words,
    enrolledAt: new Date().toISOString(),
  };
  await writeKeys(home, keys);
  await ensurePolicy(home);
  if (answer.recoveryRecipient !== null) await pinRecovery(home, answer.recoveryRecipient, 'enrolment');
  await writeIdentity(home, identity);
  return identity;
}
