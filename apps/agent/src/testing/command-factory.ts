import { randomUUID } from 'node:crypto';
import type { CommandEnvelope, CommandPayloads, CommandType, SignedCommand } from '@rahatback/contracts';
import {
  canonicalJson,
  fingerprint,
  generateSealKeyPair,
  generateSigningKeyPair,
  signCommand,
  type RawKeyPair,
} from '@rahatback/crypto';
import type { AgentHome } from '../state/agent-home.js';
import { writeIdentity, writeKeys, type AgentIdentity, type AgentKeys } from '../state/identity.store.js';
import { ensurePolicy } from '../state/policy.js';

/** An agent as enrolment leaves it, and the server's key that it trusts. */
export interface EnrolledAgent {
  readonly identity: AgentIdentity;
  readonly keys: AgentKeys;
  readonly commandKey: RawKeyPair;
}

export function newAgent(serverUrl: string): EnrolledAgent {
  const commandKey = generateSigningKeyPair();
  const keys = { sign: generateSigningKeyPair(), seal: generateSealKeyPair() };
  const identity: AgentIdentity = {
    agentId: randomUUID(),
    workspaceId: randomUUID(),
    serverId: 'server-1',
    serverUrl,
    deviceName: 'test machine',
    commandKeyId: 'key-1',
    commandPublicKey: commandKey.publicKey,
    fingerprint: fingerprint({
      signPublicKey: keys.sign.publicKey,
      sealPublicKey: keys.seal.publicKey,
      serverPublicKey: commandKey.publicKey,
    }),
    enrolledAt: new Date().toISOString(),
  };
  return { identity, keys, commandKey };
}

export async function enrolInto(home: AgentHome, agent: EnrolledAgent): Promise<void> {
  await home.ensure();
  await writeKeys(home, agent.keys);
  await ensurePolicy(home);
  await writeIdentity(home, agent.identity);
}

export const CONNECTION = {
  type: 'postgresql',
  host: '127.0.0.1',
  port: 5432,
  username: 'app',
  database: 'shop',
  tlsMode: 'disable',
  tlsCa: null,
  passwordRef: null,
} as const;

export const RECIPIENT = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';

export const backupPayload = (fields: Partial<CommandPayloads['job:execute']> = {}): CommandPayloads['job:execute'] => ({
  location: { backupId: randomUUID(), fence: 1, backupType: 'full', workspaceId: randomUUID(), databaseId: randomUUID() },
  jobId: randomUUID(),
  attempt: 1,
  connection: CONNECTION,
  compression: 'zstd',
  recoveryRecipient: RECIPIENT,
  passphrase: null,
  chainId: randomUUID(),
  base: [],
  agentPath: null,
  timeLimitMs: 3_600_000,
  ...fields,
});

/** What a reading command has besides its backup: nothing out of the ordinary. */
export const PLAIN_READ = { agentPath: null, keyRef: null, signedBy: null } as const;
/** The whole backup, by one session. */
export const WHOLE_RESTORE = { ...PLAIN_READ, selection: [], parallelism: 1 } as const;

let sequence = 0;

/** An envelope for this agent with whatever is given replaced. */
export function envelope<T extends CommandType>(
  agent: EnrolledAgent,
  type: T,
  fields: Partial<CommandEnvelope<T>> & { readonly payload: CommandPayloads[T] },
): CommandEnvelope<T> {
  sequence += 1;
  return {
    protocol: 1,
    commandId: randomUUID(),
    agentId: agent.identity.agentId,
    workspaceId: agent.identity.workspaceId,
    sequence,
    type,
    issuedAt: new Date().toISOString(),
    expiresAt: new Date(Date.now() + 60_000).toISOString(),
    resource: `test:${sequence}`,
    fence: 1,
    sealed: [],
    ...fields,
  };
}

export function signed(agent: EnrolledAgent, command: unknown, key: RawKeyPair = agent.commandKey): SignedCommand {
  const body = canonicalJson(command).toString('utf8');
  return { body, signature: signCommand(key.privateKey, body), keyId: agent.identity.commandKeyId };
}
