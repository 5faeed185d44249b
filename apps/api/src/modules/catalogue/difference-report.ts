import type { CatalogueDifference, ReconcileAnswer } from '@rahatback/contracts';

const SHOWN = 1000;

/** Counts everything, names the first thousand. */
export class DifferenceReport {
  objects = 0;
  bytes = 0;
  backups = 0;
  readonly #counts = { missing: 0, orphaned: 0, altered: 0 };
  readonly #shown: CatalogueDifference[] = [];

  add(difference: CatalogueDifference): void {
    this.#counts[difference.kind] += 1;
    if (this.#shown.length < SHOWN) this.#shown.push(difference);
  }

  get counts(): Readonly<Record<string, number>> {
    return { objectsChecked: this.objects, bytesChecked: this.bytes, backupsChecked: this.backups, ...this.#counts };
  }

  answer(storageId: string): ReconcileAnswer {
    return {
      storageId,
      objectsChecked: this.objects,
      bytesChecked: this.bytes,
      backupsChecked: this.backups,
      ...this.#counts,
      differences: this.#shown,
    };
  }
}
