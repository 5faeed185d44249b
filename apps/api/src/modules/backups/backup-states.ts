import type { BackupStatus } from '@rahatback/contracts';

/** What can happen to a backup row. `retry` keeps the row and gives it a new attempt with a new fence. */
export const BACKUP_EVENTS = ['publish', 'fail', 'cancel', 'retry'] as const;
export type BackupEventName = (typeof BACKUP_EVENTS)[number];

export const ATTEMPT_STATES = ['running', 'success', 'failed', 'cancelled', 'fenced'] as const;
export type AttemptState = (typeof ATTEMPT_STATES)[number];

/** `fence` ends an attempt whose agent stayed away past its lease: whatever it says later is refused. */
export const ATTEMPT_EVENTS = ['publish', 'fail', 'cancel', 'fence'] as const;
export type AttemptEventName = (typeof ATTEMPT_EVENTS)[number];

type Table<State extends string, Event extends string> = Readonly<Record<State, Readonly<Partial<Record<Event, State>>>>>;

/** The only ways a backup row moves. A state without a way out is final, for ever. */
export const BACKUP_TRANSITIONS: Table<BackupStatus, BackupEventName> = {
  running: { publish: 'success', fail: 'failed', cancel: 'cancelled', retry: 'running' },
  success: {},
  failed: {},
  cancelled: {},
  skipped: {},
};

export const ATTEMPT_TRANSITIONS: Table<AttemptState, AttemptEventName> = {
  running: { publish: 'success', fail: 'failed', cancel: 'cancelled', fence: 'fenced' },
  success: {},
  failed: {},
  cancelled: {},
  fenced: {},
};

/** Attempts that may have left something in the storage. */
export const UNCLEAN_ATTEMPT_STATES: readonly AttemptState[] = ['failed', 'cancelled', 'fenced'];

export interface Move<State extends string> {
  readonly from: State;
  readonly to: State;
}

const movesOf = <State extends string, Event extends string>(
  table: Table<State, Event>,
  states: readonly State[],
  event: Event,
): Move<State> => {
  const moves = states.flatMap((from) => {
    const to = table[from][event];
    return to === undefined ? [] : [{ from, to }];
  });
  const [move] = moves;
  if (move === undefined || moves.length !== 1) throw new Error(`The event ${event} must leave exactly one state.`);
  return move;
};

const BACKUP_STATES: readonly BackupStatus[] = ['running', 'success', 'failed', 'cancelled', 'skipped'];

/** The `WHERE status = :from` and `SET status = :to` of an event. Every event of this lifecycle leaves exactly one state. */
export const backupMove = (event: BackupEventName): Move<BackupStatus> => movesOf(BACKUP_TRANSITIONS, BACKUP_STATES, event);
export const attemptMove = (event: AttemptEventName): Move<AttemptState> => movesOf(ATTEMPT_TRANSITIONS, ATTEMPT_STATES, event);

export const isFinalBackupStatus = (status: BackupStatus): boolean => Object.keys(BACKUP_TRANSITIONS[status]).length === 0;
