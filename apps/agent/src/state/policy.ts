import { stat } from 'node:fs/promises';
import { isAbsolute, normalize, sep } from 'node:path';
import { AppError } from '@rahatback/contracts';
import type { AgentHome } from './agent-home.js';
import { readJson, writeJsonAtomic } from './atomic-file.js';
import { damaged, objectOf, type JsonObject } from './json-shape.js';
import { mountPointOf } from './mount-point.js';

/** What the server may order without a person at this machine. Only the CLI on this machine changes it. */
export interface AgentPolicy {
  readonly newDestinations: boolean;
  readonly deletes: boolean;
  readonly restoreOverLive: boolean;
  readonly upgrades: boolean;
  /** Absolute folders, besides the agent's own, that backups may be written to, read from and deleted in. */
  readonly storageFolders: readonly string[];
  /** Where the disks of these folders were mounted when they were allowed: without its disk such a folder is not used. */
  readonly mounts: readonly string[];
  /** Absolute; null for the agent's own. */
  readonly exportFolder: string | null;
}

export type PolicySwitch = Exclude<keyof AgentPolicy, 'storageFolders' | 'mounts' | 'exportFolder'>;

export const DEFAULT_POLICY: AgentPolicy = {
  newDestinations: true,
  deletes: true,
  restoreOverLive: false,
  upgrades: false,
  storageFolders: [],
  mounts: [],
  exportFolder: null,
};

export interface PolicyRule {
  readonly key: PolicySwitch;
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
export async function readPolicy(home: Pick<AgentHome, 'policyFile'>): Promise<AgentPolicy> {
  const found = await readJson(home.policyFile);
  if (found === undefined) return DEFAULT_POLICY;
  const object = objectOf(found, home.policyFile);
  const { exportFolder = null } = object;
  const storageFolders = foldersOf(object, 'storageFolders', home);
  const mounts = foldersOf(object, 'mounts', home);
  if (exportFolder !== null && !isFolder(exportFolder)) throw damaged(home.policyFile, 'exportFolder');
  const policy: { -readonly [K in keyof AgentPolicy]: AgentPolicy[K] } = {
    ...DEFAULT_POLICY,
    storageFolders,
    mounts,
    exportFolder,
  };
  for (const { key } of POLICY_RULES) {
    const value = object[key];
    if (value === undefined) continue;
    if (typeof value !== 'boolean') throw damaged(home.policyFile, key);
    policy[key] = value;
  }
  return policy;
}

const isFolder = (value: unknown): value is string => typeof value === 'string' && isAbsolute(value);

function foldersOf(object: JsonObject, field: string, home: Pick<AgentHome, 'policyFile'>): string[] {
  const folders = object[field] ?? [];
  if (Array.isArray(folders) && folders.every(isFolder)) return folders;
  throw damaged(home.policyFile, field);
}

/** Writes the default where there is none yet. May run twice. */
export async function ensurePolicy(home: AgentHome): Promise<void> {
  if ((await readJson(home.policyFile)) === undefined) await writeJsonAtomic(home.policyFile, DEFAULT_POLICY);
}

export const setPolicyRule = (home: AgentHome, key: PolicySwitch, allowed: boolean): Promise<AgentPolicy> =>
  changePolicy(home, () => ({ [key]: allowed }));

/** Lets backups go to a folder and everything below it. @throws AppError VALIDATION unless it is an absolute path of a folder that exists */
export async function allowFolder(home: AgentHome, path: string): Promise<AgentPolicy> {
  const folder = await existingFolder(path);
  const mount = await mountPointOf(folder);
  return changePolicy(home, ({ storageFolders, mounts }) => ({
    storageFolders: [...new Set([...storageFolders, folder])],
    mounts: [...new Set([...mounts, ...(mount === null ? [] : [mount])])],
  }));
}

/** What stands there stays, and cannot be read through the server until the folder is allowed again. @throws AppError VALIDATION when it was not allowed */
export async function denyFolder(home: AgentHome, path: string): Promise<AgentPolicy> {
  const folder = normalize(path).replace(/(?<=.)[/\\]$/, '');
  return changePolicy(home, ({ storageFolders, mounts }) => {
    const kept = storageFolders.filter((known) => known !== folder);
    const isNeeded = (mount: string): boolean => kept.some((known) => known === mount || known.startsWith(mount + sep));
    if (kept.length < storageFolders.length) return { storageFolders: kept, mounts: mounts.filter(isNeeded) };
    throw new AppError('VALIDATION', `${path} is not among the allowed folders: look at "rahatback-agent policy show".`);
  });
}

/** Where exports go; null for the agent's own folder. @throws AppError VALIDATION as `allowFolder` */
export async function setExportFolder(home: AgentHome, path: string | null): Promise<AgentPolicy> {
  const exportFolder = path === null ? null : await existingFolder(path);
  return changePolicy(home, () => ({ exportFolder }));
}

async function changePolicy(home: AgentHome, change: (policy: AgentPolicy) => Partial<AgentPolicy>): Promise<AgentPolicy> {
  const before = await readPolicy(home);
  const policy = { ...before, ...change(before) };
  await writeJsonAtomic(home.policyFile, policy);
  return policy;
}

async function existingFolder(path: string): Promise<string> {
  const found = isAbsolute(path) ? await stat(path).catch(() => null) : null;
  if (found?.isDirectory() === true) return normalize(path).replace(/(?<=.)[/\\]$/, '');
  throw new AppError(
    'VALIDATION',
    `${path} must be the absolute path of a folder that exists. Make the folder, or mount the disk.`,
  );
}

export const policyRefusal = (key: PolicySwitch): AppError => {
  const rule = POLICY_RULES.find((known) => known.key === key);
  const name = rule?.name ?? key;
  return new AppError(
    'AGENT_POLICY_REFUSED',
    `The policy of this agent forbids to ${rule?.meaning ?? key}. Allow it on the agent's machine: rahatback-agent policy allow-${name}`,
    { rule: name },
  );
};
