/**
 * Runs a sweep once at a time in this process. A call while it runs is remembered and answered by one more round after it, so that nothing that was
 * announced in between is missed.
 */
export class OneAtATime {
  private running: Promise<void> | undefined;
  private again = false;

  constructor(private readonly round: () => Promise<void>) {}

  run(): Promise<void> {
    if (this.running !== undefined) {
      this.again = true;
      return this.running;
    }
    this.running = this.rounds().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async rounds(): Promise<void> {
    do {
      this.again = false;
      await this.round();
    } while (this.again);
  }
}

/** Leaves a storage alone for a while after it has failed, twice as long each time, so that one dead storage does not slow all others. */
export class StoragePatience {
  private readonly failures = new Map<string, { count: number; until: number }>();

  constructor(
    private readonly firstMs: number,
    private readonly maxMs: number,
  ) {}

  isResting(storageId: string, now = performance.now()): boolean {
    return (this.failures.get(storageId)?.until ?? 0) > now;
  }

  failed(storageId: string, now = performance.now()): void {
    const count = (this.failures.get(storageId)?.count ?? 0) + 1;
    this.failures.set(storageId, { count, until: now + Math.min(this.maxMs, this.firstMs * 2 ** (count - 1)) });
  }

  worked(storageId: string): void {
    this.failures.delete(storageId);
  }
}

const MAX_TRACKED = 10_000;

/** Lets a key through once per `everyMs`. What it keeps back is lost, so it is only for what the next call says better. */
export class Throttle {
  private readonly lastAt = new Map<string, number>();

  constructor(private readonly everyMs: number) {}

  lets(key: string, now = performance.now()): boolean {
    if (now - (this.lastAt.get(key) ?? -Infinity) < this.everyMs) return false;
    if (this.lastAt.size >= MAX_TRACKED) this.lastAt.clear();
    this.lastAt.set(key, now);
    return true;
  }
}
