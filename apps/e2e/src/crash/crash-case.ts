/** Which process dies, what is going on meanwhile. */
export type Victim = 'agent' | 'api' | 'worker' | 'redis';
/** `lose-agent`: the agent dies too, and stays away until its lease has ended. */
export type Operation = 'backup' | 'restore' | 'cancel' | 'delete' | 'lose-agent' | 'verify' | 'swap' | 'undo';

export interface CrashCase {
  /** Name of the crash point; for Redis, the moment. */
  readonly point: string;
  readonly nth: number;
  readonly victim: Victim;
  readonly operation: Operation;
}

export interface CrashOutcome extends CrashCase {
  readonly ended: string;
  readonly code: string | null;
  /** From the moment the killed process is back until the row has ended. */
  readonly settledMs: number;
  readonly violations: readonly string[];
}

function victimOf(point: string): Victim {
  if (point.startsWith('api.')) return 'api';
  return point.startsWith('worker.') ? 'worker' : 'agent';
}

const BY_TOPIC: readonly (readonly [prefix: string, operation: Operation])[] = [
  ['verify.', 'verify'],
  ['swap.', 'swap'],
  ['undo.', 'undo'],
];

function operationOf(point: string): Operation {
  const topic = BY_TOPIC.find(([prefix]) => point.startsWith(prefix));
  if (topic) return topic[1];
  if (point.includes('restore')) return 'restore';
  if (point.includes('cleanup')) return 'cancel';
  if (point.includes('watchdog')) return 'lose-agent';
  return point.includes('.delete.') ? 'delete' : 'backup';
}

export const caseOf = (point: string, nth = 1): CrashCase => ({
  point,
  nth,
  victim: victimOf(point),
  operation: operationOf(point),
});

/** Moments of a backup at which Redis is killed with its data lost or kept. */
export const REDIS_CASES: readonly CrashCase[] = [
  'redis.before_run',
  'redis.after_run',
  'redis.mid_dump',
  'redis.mid_restore',
].map((point) => ({
  point,
  nth: 1,
  victim: 'redis',
  operation: point.endsWith('restore') ? 'restore' : 'backup',
}));
