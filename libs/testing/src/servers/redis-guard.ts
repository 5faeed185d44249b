import { CanaryRun } from '../canary/canary-run.js';
import { scanRedis, watchRedis, type RedisWatch } from '../canary/redis-watch.js';

export interface RedisGuard {
  /** To be called when the server is up, the first time and after a restart. */
  attach(): Promise<void>;
  /** Looks through all keys, and ends. For before an orderly stop. */
  finish(): Promise<void>;
}

/** The test run's watch over one Redis: every command that it gets, and what it holds at its end. Does nothing outside of a run. */
export function guardRedis(url: string): RedisGuard {
  const run = CanaryRun.current();
  let watch: RedisWatch | undefined;
  const collect = (): void => {
    if (watch && run) run.add('redis', watch.commands(), watch.stop());
    watch = undefined;
  };
  return {
    async attach() {
      collect();
      if (run) watch = await watchRedis(run.inText, url);
    },
    async finish() {
      if (!run || !watch) return;
      let keys = 0;
      // One that was stopped or has run out of memory for its test answers nothing: its commands were seen all the same.
      const hits = await scanRedis(run.inText, url, () => (keys += 1)).catch(() => []);
      run.add('redis', keys, hits);
      collect();
      run.flush();
    },
  };
}
