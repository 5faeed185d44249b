import { isCryptoError } from '@rahatback/crypto';
import { AppError, type ImportAnswer } from '@rahatback/contracts';
import type { GenuineBackup } from './import-manifest.js';

type Refusal = ImportAnswer['refused'][number];

interface DatabaseTally {
  readonly databaseId: string;
  name: string;
  backups: number;
  newest: string;
}

const SHOWN_REFUSALS = 1000;

/** What an import has found so far. */
export class ImportTally {
  manifestsFound = 0;
  imported = 0;
  alreadyKnown = 0;
  readonly #refused: Refusal[] = [];
  readonly #databases = new Map<string, DatabaseTally>();

  /** @throws the error itself when it does not judge the backup but says that the storage could not be asked */
  refuse(key: string, error: unknown): void {
    if (!(error instanceof AppError || isCryptoError(error)) || (error instanceof AppError && error.kind !== 'user')) throw error;
    if (this.#refused.length < SHOWN_REFUSALS) this.#refused.push({ key, code: error.code, message: error.message });
  }

  count({ manifest }: GenuineBackup, name: string): void {
    const known = this.#databases.get(manifest.databaseId);
    const tally = known ?? { databaseId: manifest.databaseId, name, backups: 0, newest: manifest.completedAt };
    tally.backups += 1;
    if (manifest.completedAt > tally.newest) tally.newest = manifest.completedAt;
    this.#databases.set(manifest.databaseId, tally);
  }

  answer(): ImportAnswer {
    const { manifestsFound, imported, alreadyKnown } = this;
    return { manifestsFound, imported, alreadyKnown, databases: [...this.#databases.values()], refused: this.#refused };
  }
}
