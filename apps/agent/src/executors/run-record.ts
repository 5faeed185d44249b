import type { AttemptStep } from '@rahatback/contracts';
import { asAppError } from '../errors.js';

const MAX_STEPS = 200;
const MAX_DETAIL = 1_000;

/** The steps of one run and what its tool said, as its report carries them. */
export class RunRecord {
  readonly #steps: AttemptStep[] = [];
  #tail: (() => string) | undefined;

  readonly onStep = (step: AttemptStep): void => {
    this.#steps.push(step);
    if (this.#steps.length > MAX_STEPS) this.#steps.shift();
  };

  note(name: string, detail: string): void {
    this.onStep({ name, at: new Date().toISOString(), detail: detail.slice(0, MAX_DETAIL) });
  }

  readonly onTool = (tail: () => string): void => {
    this.#tail = tail;
  };

  /** The tool's own last lines; before a tool has started, why it did not. */
  logTail(cause: unknown): string {
    return this.#tail?.() || asAppError(cause).message;
  }

  get steps(): readonly AttemptStep[] {
    return [...this.#steps];
  }
}
