import type { AttemptStep } from '@rahatback/contracts';

const MAX_STEPS = 200;
const MAX_DETAIL = 1_000;

/** The steps of one run, as its report carries them. */
export class RunRecord {
  readonly #steps: AttemptStep[] = [];

  readonly onStep = (step: AttemptStep): void => {
    this.#steps.push(step);
    if (this.#steps.length > MAX_STEPS) this.#steps.shift();
  };

  note(name: string, detail: string): void {
    this.onStep({ name, at: new Date().toISOString(), detail: detail.slice(0, MAX_DETAIL) });
  }

  get steps(): readonly AttemptStep[] {
    return [...this.#steps];
  }
}
