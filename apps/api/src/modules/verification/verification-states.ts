import type { VerificationStatus } from '@rahatback/contracts';

export const VERIFICATION_EVENTS = ['pass', 'fail', 'skip'] as const;
export type VerificationEventName = (typeof VERIFICATION_EVENTS)[number];

type Moves = Readonly<Partial<Record<VerificationEventName, VerificationStatus>>>;

/** The only ways a verification moves. A state without a way out is final, for ever. */
export const VERIFICATION_TRANSITIONS: Readonly<Record<VerificationStatus, Moves>> = {
  PENDING: { pass: 'PASSED', fail: 'FAILED', skip: 'SKIPPED' },
  PASSED: {},
  FAILED: {},
  SKIPPED: {},
};

export interface VerificationMove {
  readonly from: VerificationStatus;
  readonly to: VerificationStatus;
}

/** The `WHERE status = :from` and `SET status = :to` of an event. */
export const verificationMove = (event: VerificationEventName): VerificationMove => {
  const to = VERIFICATION_TRANSITIONS.PENDING[event];
  if (to === undefined) throw new Error(`A pending verification does not know the event ${event}.`);
  return { from: 'PENDING', to };
};
