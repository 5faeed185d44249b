import { readFileSync } from 'node:fs';
import { AppError } from '@rahatback/contracts';
import { fingerprint, parseFingerprint } from '@rahatback/crypto';
import type { AgentHome } from './agent-home.js';
import { isMissing, writeJsonAtomic } from './atomic-file.js';
import { damaged, isObject, objectOf, textOf } from './json-shape.js';
import type { AgentIdentity } from './identity.store.js';

/** Another agent that a person at this machine has vouched for, by the six words of its keys. */
export interface TrustedAgent {
  readonly fingerprint: string;
  readonly label: string | null;
  readonly trustedAt: string;
}

/** Public keys as a command carries them; the server that sends them may be breached, so only the words decide. */
export interface ForeignAgent {
  readonly agentId: string;
  readonly signPublicKey: string;
  readonly sealPublicKey: string;
}

type TrustHome = Pick<AgentHome, 'trustedAgentsFile'>;

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw damaged(path);
  }
}

/**
 * The list as it stands in the file now; read at every use, so that a change needs no restart. No file means nobody.
 * @throws AppError DATA_CORRUPT naming the file: a half-read list must trust nobody
 */
export function readTrustedAgents({ trustedAgentsFile: path }: TrustHome): readonly TrustedAgent[] {
  const text = readText(path);
  if (text === undefined) return [];
  const { agents } = objectOf(parse(text, path), path);
  if (!Array.isArray(agents)) throw damaged(path, 'agents');
  return agents.map((agent: unknown) => {
    if (!isObject(agent)) throw damaged(path, 'agents');
    const words = parseFingerprint(textOf(agent, 'fingerprint', path));
    if (words === null) throw damaged(path, 'fingerprint');
    return {
      fingerprint: words,
      label: typeof agent.label === 'string' ? agent.label : null,
      trustedAt: textOf(agent, 'trustedAt', path),
    };
  });
}

const write = ({ trustedAgentsFile }: TrustHome, agents: readonly TrustedAgent[]): Promise<void> =>
  writeJsonAtomic(trustedAgentsFile, { agents });

const wordsOf = (typed: string): string => {
  const words = parseFingerprint(typed);
  if (words !== null) return words;
  throw new AppError(
    'VALIDATION',
    'A fingerprint is six words of the list. Read them on the other machine: rahatback-agent status.',
    { fields: { fingerprint: ['must be six words'] } },
  );
};

/** Trusting twice changes only the label. @throws AppError VALIDATION when it is not six words */
export async function trustAgent(home: TrustHome, typed: string, label: string | null): Promise<readonly TrustedAgent[]> {
  const words = wordsOf(typed);
  const before = readTrustedAgents(home);
  const known = before.find((agent) => agent.fingerprint === words);
  const added: TrustedAgent = {
    fingerprint: words,
    label: label ?? known?.label ?? null,
    trustedAt: known?.trustedAt ?? new Date().toISOString(),
  };
  const agents = [...before.filter((agent) => agent !== known), added];
  await write(home, agents);
  return agents;
}

/** @throws AppError VALIDATION when it is not six words, NOT_FOUND when they were not trusted */
export async function distrustAgent(home: TrustHome, typed: string): Promise<readonly TrustedAgent[]> {
  const words = wordsOf(typed);
  const before = readTrustedAgents(home);
  const agents = before.filter((agent) => agent.fingerprint !== words);
  if (agents.length === before.length) {
    throw new AppError('NOT_FOUND', 'These six words were not trusted here. Look at the list: rahatback-agent trust --list.');
  }
  await write(home, agents);
  return agents;
}

/**
 * That a person at this machine trusts the agent with these keys.
 * @throws AppError AGENT_POLICY_REFUSED with the line to type; CryptoError KEYS_INVALID for a malformed key
 */
export function assertTrusted(
  home: TrustHome,
  identity: Pick<AgentIdentity, 'commandPublicKey'>,
  other: ForeignAgent,
  purpose: string,
): void {
  const { agentId, signPublicKey, sealPublicKey } = other;
  const words = fingerprint({ signPublicKey, sealPublicKey, serverPublicKey: identity.commandPublicKey });
  if (readTrustedAgents(home).some((agent) => agent.fingerprint === words)) return;
  throw new AppError(
    'AGENT_POLICY_REFUSED',
    `This agent does not trust agent ${agentId}, so it will not ${purpose}. If "rahatback-agent status" on that agent's machine shows ` +
      `the words "${words}", run on this agent's machine: rahatback-agent trust ${words}`,
    { rule: 'trusted-agents', agentId, fingerprint: words },
  );
}
