import { AppError } from '@rahatback/contracts';
import type { RawKeyPair } from '@rahatback/crypto';
import type { AgentHome } from './agent-home.js';
import { readJson, writeJsonAtomic } from './atomic-file.js';
import { damaged, isObject, objectOf, textOf, type JsonObject } from './json-shape.js';

/** What enrolment taught this agent. None of it is secret; the pinned key is what every command is checked against. */
export interface AgentIdentity {
  readonly agentId: string;
  readonly workspaceId: string;
  readonly serverId: string;
  readonly serverUrl: string;
  readonly deviceName: string;
  readonly commandKeyId: string;
  /** Ed25519, base64. */
  readonly commandPublicKey: string;
  readonly fingerprint: string;
  readonly enrolledAt: string;
}

/** The private halves never leave this machine. */
export interface AgentKeys {
  readonly sign: RawKeyPair;
  readonly seal: RawKeyPair;
}

const IDENTITY_FIELDS = [
  'agentId',
  'workspaceId',
  'serverId',
  'serverUrl',
  'deviceName',
  'commandKeyId',
  'commandPublicKey',
  'fingerprint',
  'enrolledAt',
] as const satisfies readonly (keyof AgentIdentity)[];

export async function readIdentity(home: AgentHome): Promise<AgentIdentity | null> {
  const found = await readJson(home.identityFile);
  if (found === undefined) return null;
  const object = objectOf(found, home.identityFile);
  const entries = IDENTITY_FIELDS.map((field) => [field, textOf(object, field, home.identityFile)] as const);
  return Object.fromEntries(entries) as unknown as AgentIdentity;
}

function keyPairOf(object: JsonObject, field: 'sign' | 'seal', path: string): RawKeyPair {
  const pair = object[field];
  if (!isObject(pair)) throw damaged(path, field);
  return { publicKey: textOf(pair, 'publicKey', path), privateKey: textOf(pair, 'privateKey', path) };
}

export async function readKeys(home: AgentHome): Promise<AgentKeys | null> {
  const found = await readJson(home.keysFile);
  if (found === undefined) return null;
  const object = objectOf(found, home.keysFile);
  return { sign: keyPairOf(object, 'sign', home.keysFile), seal: keyPairOf(object, 'seal', home.keysFile) };
}

export const writeKeys = (home: AgentHome, keys: AgentKeys): Promise<void> => writeJsonAtomic(home.keysFile, keys);
export const writeIdentity = (home: AgentHome, identity: AgentIdentity): Promise<void> =>
  writeJsonAtomic(home.identityFile, identity);

/** @throws AppError AGENT_AUTH_FAILED saying how to enrol, when this home holds no agent yet */
export async function requireEnrolled(home: AgentHome): Promise<{ identity: AgentIdentity; keys: AgentKeys }> {
  const [identity, keys] = [await readIdentity(home), await readKeys(home)];
  if (identity && keys) return { identity, keys };
  throw new AppError(
    'AGENT_AUTH_FAILED',
    `This machine is not enrolled (no keys in ${home.path}): run \`rahatback-agent enroll <code> --server <url>\` with a code from the console.`,
  );
}
