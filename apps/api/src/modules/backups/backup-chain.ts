import type { BackupLocation, BackupType, Compression } from '@rahatback/contracts';

/** What must stay the same for a backup to point into an older one. */
export interface ChainTerms {
  readonly agentId: string;
  readonly storageId: string;
  readonly compression: Compression;
  readonly passphraseVersion: number;
}

export interface ChainLink extends ChainTerms {
  readonly id: string;
  readonly workspaceId: string;
  readonly databaseId: string;
  readonly fence: number;
  readonly backupType: BackupType;
  readonly chainId: string | null;
  readonly chainPosition: number;
  readonly startedAt: Date;
  /** What is known to be missing or altered of it. */
  readonly damage: string | null;
  readonly originWorkspaceId?: string | null;
  readonly originDatabaseId?: string | null;
}

export interface ChainPlan {
  readonly backupType: BackupType;
  readonly chainId: string;
  readonly baseBackupId: string | null;
  readonly chainPosition: number;
  /** Oldest first; empty for a full. */
  readonly base: readonly BackupLocation[];
  /** Why a job that asks for less than a full gets a full now. */
  readonly fullBecause: string | null;
}

type Origin = Pick<ChainLink, 'workspaceId' | 'databaseId' | 'originWorkspaceId' | 'originDatabaseId'>;

/** The ids under which a backup stands in the storage and is encrypted: its row's own, or, once imported, those that it was made under. */
export const originOf = (backup: Origin): { readonly workspaceId: string; readonly databaseId: string } => ({
  workspaceId: backup.originWorkspaceId ?? backup.workspaceId,
  databaseId: backup.originDatabaseId ?? backup.databaseId,
});

export const locationOf = (backup: Origin & Pick<ChainLink, 'id' | 'fence' | 'backupType'>): BackupLocation => ({
  backupId: backup.id,
  fence: backup.fence,
  backupType: backup.backupType,
  ...originOf(backup),
});

const byPosition = (a: ChainLink, b: ChainLink): number => a.chainPosition - b.chainPosition;

const reasonForFull = (wanted: ChainTerms, maxChainLength: number, links: readonly ChainLink[]): string | null => {
  const first = links[0];
  const newest = links.at(-1);
  if (first === undefined || newest === undefined) return 'there is no earlier backup to build on';
  if (first.backupType !== 'full') return 'the full backup of the chain is gone';
  const damaged = links.find((link) => link.damage !== null);
  if (damaged !== undefined) return `link ${damaged.startedAt.toISOString()} of the chain is damaged`;
  if (newest.chainPosition >= maxChainLength) return `the chain has reached its ${maxChainLength} backups`;
  if (newest.agentId !== wanted.agentId) return 'the database has moved to another agent';
  if (newest.storageId !== wanted.storageId) return 'the destination has changed';
  if (newest.passphraseVersion !== wanted.passphraseVersion) return 'the passphrase has changed';
  if (newest.compression !== wanted.compression) return 'the compression has changed';
  return null;
};

/**
 * Decides what the next backup of a job builds on. `links` are the job's kept, successful backups of its newest chain, in any order.
 * A changed tool major also ends a chain, but only the agent knows which tool it will pick: it then answers with a full of its own.
 */
export const planChain = (
  job: ChainTerms & { readonly backupType: BackupType; readonly maxChainLength: number },
  chain: readonly ChainLink[],
  newChainId: string,
): ChainPlan => {
  const full = (fullBecause: string | null): ChainPlan => ({
    backupType: 'full',
    chainId: newChainId,
    baseBackupId: null,
    chainPosition: 1,
    base: [],
    fullBecause,
  });
  if (job.backupType === 'full') return full(null);
  const links = [...chain].sort(byPosition);
  const reason = reasonForFull(job, job.maxChainLength, links);
  const first = links[0];
  const newest = links.at(-1);
  if (reason !== null || first === undefined || newest === undefined || newest.chainId === null) return full(reason);
  const base = job.backupType === 'differential' ? [first] : links;
  return {
    backupType: job.backupType,
    chainId: newest.chainId,
    baseBackupId: base.at(-1)?.id ?? null,
    chainPosition: newest.chainPosition + 1,
    base: base.map(locationOf),
    fullBecause: null,
  };
};

/**
 * The backups that a restore of `backup` may have to read, oldest first: nothing for a full, the full for a differential, everything
 * before it in its chain for an incremental. `chain` holds the kept, successful backups of the same chain.
 */
export const linksOf = (backup: ChainLink, chain: readonly ChainLink[]): readonly BackupLocation[] => {
  const earlier = chain.filter((link) => link.chainPosition < backup.chainPosition).sort(byPosition);
  if (backup.backupType === 'full') return [];
  if (backup.backupType === 'differential') return earlier.slice(0, 1).map(locationOf);
  return earlier.map(locationOf);
};
