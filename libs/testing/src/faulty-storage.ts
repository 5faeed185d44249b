import { setTimeout as delay } from 'node:timers/promises';
import type { StorageBackend } from '@rahatback/storage';

export type StorageMethod = Exclude<keyof StorageBackend, 'kind'>;

/** One fault of one method. Faults of a method stand in a queue: the first that is due strikes, at most one per call. */
export interface StorageFault {
  /** The call (from 1) at which it becomes due. Default 1: at once. */
  readonly nth?: number;
  /** How many more times it strikes after the first. Default 0. */
  readonly repeat?: number;
  readonly delayMs?: number;
  readonly callback?: (args: readonly unknown[]) => void | Promise<void>;
  /** Thrown instead of doing the call, or after it with `when: 'after'`. */
  readonly error?: Error;
  /** `after`: the call is done and its answer is lost. For a list: after its last item. Default `before`. */
  readonly when?: 'before' | 'after';
}

export type FaultPlan = Partial<Record<StorageMethod, readonly StorageFault[]>>;

export interface FaultyStorage extends StorageBackend {
  readonly calls: Readonly<Partial<Record<StorageMethod, number>>>;
  /** Strikes that have not happened: a test whose faults never struck has proved nothing. */
  pendingStrikes(): number;
}

interface Armed {
  readonly fault: StorageFault;
  left: number;
}

class FaultQueue {
  readonly calls: Partial<Record<StorageMethod, number>> = {};
  readonly #armed = new Map<StorageMethod, Armed[]>();

  constructor(plan: FaultPlan) {
    for (const [method, faults] of Object.entries(plan) as [StorageMethod, readonly StorageFault[]][]) {
      this.#armed.set(
        method,
        faults.map((fault) => ({ fault, left: 1 + (fault.repeat ?? 0) })),
      );
    }
  }

  take(method: StorageMethod): StorageFault | undefined {
    const call = (this.calls[method] ?? 0) + 1;
    this.calls[method] = call;
    const due = this.#armed.get(method)?.find((one) => one.left > 0 && call >= (one.fault.nth ?? 1));
    if (!due) return undefined;
    due.left -= 1;
    return due.fault;
  }

  pending(): number {
    const left = [...this.#armed.values()].flat().map((one) => one.left);
    return left.filter(Number.isFinite).reduce((sum, count) => sum + count, 0);
  }
}

async function before(fault: StorageFault | undefined, args: readonly unknown[]): Promise<void> {
  if (fault?.delayMs) await delay(fault.delayMs);
  await fault?.callback?.(args);
  if (fault?.error && fault.when !== 'after') throw fault.error;
}

const after = (fault: StorageFault | undefined): void => {
  if (fault?.error && fault.when === 'after') throw fault.error;
};

/**
 * A backend that fails by plan (after kopia's FaultyStorage): per method a queue of errors, delays and callbacks, at a chosen call and for a
 * number of times. Everything else passes to the real backend.
 */
export function faulty(backend: StorageBackend, plan: FaultPlan): FaultyStorage {
  const queue = new FaultQueue(plan);
  const call = <A extends unknown[], R>(method: StorageMethod, run: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      const fault = queue.take(method);
      await before(fault, args);
      const answer = await run(...args);
      after(fault);
      return answer;
    };
  };
  const iterate = <T>(method: StorageMethod, run: (prefix: string) => AsyncIterable<T>) =>
    async function* (prefix: string): AsyncGenerator<T> {
      const fault = queue.take(method);
      await before(fault, [prefix]);
      yield* run(prefix);
      after(fault);
    };
  return {
    kind: backend.kind,
    calls: queue.calls,
    pendingStrikes: () => queue.pending(),
    probe: call('probe', () => backend.probe()),
    createUpload: call('createUpload', (key) => backend.createUpload(key)),
    signPart: call('signPart', (request) => backend.signPart(request)),
    listParts: call('listParts', (key, uploadId) => backend.listParts(key, uploadId)),
    completeUpload: call('completeUpload', (request) => backend.completeUpload(request)),
    abortUpload: call('abortUpload', (key, uploadId) => backend.abortUpload(key, uploadId)),
    listUploads: iterate('listUploads', (prefix) => backend.listUploads(prefix)),
    putIfAbsent: call('putIfAbsent', (key, bytes) => backend.putIfAbsent(key, bytes)),
    stat: call('stat', (key) => backend.stat(key)),
    read: call('read', (key, range) => backend.read(key, range)),
    signRead: call('signRead', (request) => backend.signRead(request)),
    list: iterate('list', (prefix) => backend.list(prefix)),
    delete: call('delete', (key) => backend.delete(key)),
  };
}
