import type { RestoreStatus } from '@rahatback/contracts';

export const RESTORE_EVENTS = ['complete', 'fail', 'cancel'] as const;
export type RestoreEventName = (typeof RESTORE_EVENTS)[number];

/** The only ways a restore row moves. A state without a way out is final, for ever. */
export const RESTORE_TRANSITIONS: Readonly<Record<RestoreStatus, Readonly<Partial<Record<RestoreEventName, RestoreStatus>>>>> = {
  running: { complete: 'success', fail: 'failed', cancel: 'cancelled' },
  success: {},
  failed: {},
  cancelled: {},
};

export interface RestoreMove {
  readonly from: RestoreStatus;
  readonly to: RestoreStatus;
}

/** The `WHERE status = :from` and `SET status = :to` of an event. */
export const restoreMove = (event: RestoreEventName): RestoreMove => {
  const to = RESTORE_TRANSITIONS.running[event];
  if (to === undefined) throw new Error(`A running restore does not know the event ${event}.`);
  return { from: 'running', to };
};
