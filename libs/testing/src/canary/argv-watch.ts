import { listProcesses } from '../processes/process-tree.js';
import { uniqueHits, type CanaryHit, type CanarySet } from './canary.js';

const SAMPLE_MS = 20;

export interface ArgvWatch {
  /** Takes a last sample, ends, and returns what was seen. May run twice. */
  stop(): CanaryHit[];
  /** How many samples were taken: a test that wants to say "never in argv" checks that there were some. */
  samples(): number;
}

/** Reads the argv of every process of the machine every 20 ms until it is stopped. A process shorter than that may go unseen. */
export function watchArgv(canaries: CanarySet): ArgvWatch {
  let hits: CanaryHit[] = [];
  let samples = 0;
  const sample = (): void => {
    samples += 1;
    const found = listProcesses().flatMap(({ argv }) => canaries.find(argv.join('\0'), `argv of ${argv[0] ?? '?'}`));
    if (found.length > 0) hits = uniqueHits([...hits, ...found]);
  };
  sample();
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    samples: () => samples,
    stop() {
      clearInterval(timer);
      sample();
      return hits;
    },
  };
}
