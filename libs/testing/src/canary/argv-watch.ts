import { listPids, listProcesses, readArgv } from '../processes/process-tree.js';
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

/** A program changes its argv when it becomes another one (exec), mostly at its start. */
const LOOKS_AT_START = 3;
const LOOK_AGAIN_EVERY = 40;

export interface LongArgvWatch {
  stop(): { readonly processes: number; readonly hits: readonly CanaryHit[] };
}

/**
 * As `watchArgv`, but light enough for a whole test run: new processes are looked at in each of their first samples, old ones now and then.
 * @param isExempt argv of test servers which are told a secret on their command line
 */
export function watchArgvLong(canaries: CanarySet, isExempt: (argv: string) => boolean): LongArgvWatch {
  let age = new Map<number, number>();
  let hits: CanaryHit[] = [];
  let processes = 0;
  const look = (pid: number): void => {
    const argv = readArgv(pid)?.join('\0') ?? '';
    const found = isExempt(argv) ? [] : canaries.find(argv, `argv of ${argv.split('\0')[0] ?? '?'}`);
    if (found.length > 0) hits = uniqueHits([...hits, ...found]);
  };
  const sample = (): void => {
    const next = new Map<number, number>();
    for (const pid of listPids()) {
      const samples = (age.get(pid) ?? 0) + 1;
      next.set(pid, samples);
      if (samples === 1) processes += 1;
      if (samples <= LOOKS_AT_START || samples % LOOK_AGAIN_EVERY === 0) look(pid);
    }
    age = next;
  };
  const timer = setInterval(sample, SAMPLE_MS);
  return {
    stop() {
      clearInterval(timer);
      sample();
      return { processes, hits };
    },
  };
}
