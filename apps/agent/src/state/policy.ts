import { AppError } from '@rahatback/contracts';
import type { AgentHome } from './agent-home.js';
import { readJson, writeJsonAtomic } from './atomic-file.js';
import { damaged, objectOf } from './json-shape.js';

/** What the server may order without a person at this machine. Only the CLI on this machine changes it. */
export interface AgentPolicy {
  readonly newDestinations: boolean;
  readonly deletes: boolean;
  readonly restoreOverLive: boolean;
  readonly upgrades: boolean;
}

export const DEFAULT_POLICY: AgentPolicy = { newDestinations: true, deletes: true, restoreOverLive: false, upgrades: false };

export interface PolicyRule {
  readonly key: keyof AgentPolicy;
  /** As the CLI spells it: `allow-<name>`, `deny-<name>`. */
  readonly name: string;
  readonly meaning: string;
}

export const POLICY_RULES: readonly PolicyRule[] = [
  { key: 'newDestinations', name: 'new-destinations', meaning: 'back up to a storage that was not used before' },
  { key: 'deletes', name: 'deletes', meaning: 'delete backups inside the storage prefix' },
  { key: 'restoreOverLive', name: 'restore-over-live', meaning: 'restore into the database that a connection names' },
  { key: 'upgrades', name: 'upgrades', meaning: 'upgrade customer instances' },
];

/**
 * The policy as it stands in the file now; read at every use, so a change needs no restart. No file means the default.
 * @throws AppError DATA_CORRUPT when a rule is not true or false: a half-read policy must allow nothing
 */
export async function readPolicy(home: AgentHome): Promise<AgentPolicy> {
  const found = await readJson(home.policyFile);
  if (found === undefined) return DEFAULT_POLICY;
  const object = objectOf(found, home.policyFile);
  const policy: Record<keyof AgentPolicy, boolean> = { ...DEFAULT_POLICY };
  for (const { key } of POLICY_RULES) {
    const value = object[key];
    if (value === undefined) continue;
    if (typeof value !== 'boolean') throw damaged(home.policyFile, key);
    policy[key] = value;
  }
  return policy;
}

/** Writes the default where there is none yet. May run twice. */
export async function ensurePolicy(home: AgentHome): Promise<void> {
  if ((await readJson(home.policyFile)) === undefined) await writeJsonAtomic(home.policyFile, DEFAULT_POLICY);
}

export async function setPolicyRule(home: AgentHome, key: keyof AgentPolicy, allowed: boolean): Promise<AgentPolicy> {
  const policy = { ...(await readPolicy(home)), [key]: allowed };
  await writeJsonAtomic(home.policyFile, policy);
  return policy;
}

export const policyRefusal = (key: keyof AgentPolicy): AppError => {
  const rule = POLICY_RULES.find((known) => known.key === key);
  const name = rule?.name ?? key;
  return new AppError(
    'AGENT_POLICY_REFUSED',
    `The policy of this agent forbids to ${rule?.meaning ?? key}. Allow it on the agent's machine: rahatback-agent policy allow-${name}`,
    { rule: name },
  );
};
