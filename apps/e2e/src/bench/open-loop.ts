import { setTimeout as sleep } from 'node:timers/promises';

export interface OpenLoop<Shot> {
  readonly perSecond: number;
  readonly seconds: number;
  /** What is sent next; asked once a shot, in order. */
  readonly next: () => Shot;
  /** Resolves when the whole answer is there, false for one that was no success. What it throws counts as no success. */
  readonly send: (shot: Shot) => Promise<boolean>;
}

export interface ShotResult<Shot> {
  readonly shot: Shot;
  /** From the moment at which it was meant to be sent, whether or not this program or the server was late. */
  readonly latencyMs: number;
  readonly ok: boolean;
}

/**
 * Sends at even intervals, however slow the answers are: a stall is felt by every request that was due in it (no coordinated omission).
 * @returns one result for each of `perSecond * seconds` shots, once all have been answered
 */
export async function openLoop<Shot>({ perSecond, seconds, next, send }: OpenLoop<Shot>): Promise<ShotResult<Shot>[]> {
  const results: Promise<ShotResult<Shot>>[] = [];
  const start = performance.now();
  const fire = async (shot: Shot, dueAt: number): Promise<ShotResult<Shot>> => {
    const ok = await send(shot).catch(() => false);
    return { shot, latencyMs: performance.now() - dueAt, ok };
  };
  for (let count = 0; count < Math.round(perSecond * seconds); count += 1) {
    const dueAt = start + (count * 1000) / perSecond;
    const early = dueAt - performance.now();
    if (early > 0) await sleep(early);
    results.push(fire(next(), dueAt));
  }
  return Promise.all(results);
}
