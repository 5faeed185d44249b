import type { FaultWorld } from './fault-world.js';

/** The invariants of the reliability plan, and `row`: what this fault's own row asks for. */
export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'row';

export interface Violation {
  readonly invariant: Invariant;
  /** One sentence. */
  readonly what: string;
}

export interface FaultCase {
  /** Its number in the table of faults of the reliability plan. */
  readonly row: number;
  /** What is done, as the end of "the product holds when …". */
  readonly title: string;
  /**
   * Does it, and looks at what this row alone asks for. Everything that it started may still run when it returns: the harness heals the world,
   * waits, and checks I1-I8. Throws only when the fault could not be brought about: that is a defect of the suite.
   */
  run(world: FaultWorld): Promise<readonly Violation[]>;
  /** A fault that this machine cannot bring about (no root, say): a sentence. Default: it can. */
  missing?(world: FaultWorld): string | undefined;
}

export interface FaultOutcome {
  readonly row: number;
  readonly title: string;
  readonly seconds: number;
  /** What the case measured or saw, for the record. */
  readonly notes: readonly string[];
  readonly notProven?: string;
  readonly violations: readonly Violation[];
}

/** One violation when the statement is false, else none. */
export const mustHold = (isSo: boolean, what: string, invariant: Invariant = 'row'): readonly Violation[] =>
  isSo ? [] : [{ invariant, what }];
