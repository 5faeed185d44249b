import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** What is awaited, as the end of "timed out waiting for …". */
  readonly describe: string;
  readonly timeoutMs?: number;
  readonly pollMs?: number;
}

const tried = (cause: unknown): string => (cause instanceof Error ? `; last error: ${cause.message}` : '');

/**
 * Asks until the answer is neither false, null nor undefined, and returns it. An error of `probe` counts as "not yet".
 * This is the only place of the tests that may pause: everything else waits for something it can name.
 * @throws Error naming what was awaited, with the probe's last error as cause, when `timeoutMs` (15,000) has passed
 */
export async function waitFor<T>(
  probe: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  options: WaitOptions,
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 15_000;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== false && answer !== null && answer !== undefined) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`Timed out after ${timeoutMs} ms waiting for ${options.describe}${tried(cause)}`, { cause });
    }
    await delay(options.pollMs ?? 25);
  }
}
