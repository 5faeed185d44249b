import { AppError } from '@rahatback/contracts';
import type { GenuineBackup } from './import-manifest.js';

export interface PlacedBackup {
  readonly backup: GenuineBackup;
  /** From 1; greater than that of every backup it points into. */
  readonly position: number;
}

export interface PlacedChains {
  /** Each chain from its full on. */
  readonly chains: readonly (readonly PlacedBackup[])[];
  readonly refused: readonly { readonly backup: GenuineBackup; readonly error: AppError }[];
}

const lost = (linkId: string): AppError =>
  new AppError(
    'OBJECT_MISSING',
    `This backup points into backup ${linkId}, which is not in the storage or was refused. Put that one back, then import again.`,
    { linkId },
  );

const strange = (linkId: string): AppError =>
  new AppError('MANIFEST_INVALID', `This backup points into backup ${linkId}, which is not of its chain.`, { linkId });

const isSameChain = ({ manifest: a }: GenuineBackup, { manifest: b }: GenuineBackup): boolean =>
  a.chain.id === b.chain.id &&
  a.workspaceId === b.workspaceId &&
  a.databaseId === b.databaseId &&
  // Workspace, database and chain being the same, one commitment is one data key.
  a.commitment === b.commitment;

/** Places backups by what they point into: no clock is asked. Whoever points into one that is not there is refused, and so on. */
class Placing {
  readonly #byId: ReadonlyMap<string, GenuineBackup>;
  readonly #done = new Map<string, number | AppError>();

  constructor(backups: readonly GenuineBackup[]) {
    this.#byId = new Map(backups.map((backup) => [backup.manifest.backupId, backup]));
  }

  position(backup: GenuineBackup): number | AppError {
    const { backupId } = backup.manifest;
    const known = this.#done.get(backupId);
    if (known !== undefined) return known;
    // A backup that points into itself over others finds this, and ends.
    this.#done.set(backupId, lost(backupId));
    const placed = this.#behindLinks(backup);
    this.#done.set(backupId, placed);
    return placed;
  }

  #behindLinks(backup: GenuineBackup): number | AppError {
    let position = 1;
    for (const linkId of backup.manifest.chain.links) {
      const link = this.#byId.get(linkId);
      if (link === undefined) return lost(linkId);
      if (!isSameChain(backup, link)) return strange(linkId);
      const before = this.position(link);
      if (before instanceof AppError) return lost(linkId);
      position = Math.max(position, before + 1);
    }
    return position;
  }
}

/** Sorts the backups of one database into chains. */
export function placeChains(backups: readonly GenuineBackup[]): PlacedChains {
  const placing = new Placing(backups);
  const chains = new Map<string, PlacedBackup[]>();
  const refused: { backup: GenuineBackup; error: AppError }[] = [];
  for (const backup of backups) {
    const position = placing.position(backup);
    if (position instanceof AppError) {
      refused.push({ backup, error: position });
      continue;
    }
    const chain = chains.get(backup.manifest.chain.id) ?? [];
    chain.push({ backup, position });
    chains.set(backup.manifest.chain.id, chain);
  }
  for (const chain of chains.values()) chain.sort((a, b) => a.position - b.position);
  return { chains: [...chains.values()], refused };
}
