import type { AttemptStep, BackupProgressView } from '@rahatback/contracts';

const REPORT_EVERY_MS = 500;

/** Told by backups and restores while they run. Both are optional and must not throw. */
export interface RunListener {
  readonly onProgress?: (progress: BackupProgressView) => void;
  readonly onStep?: (step: AttemptStep) => void;
  /** Told when the dump or restore tool has started; `tail` gives the last of what it has said by then, secrets removed, also after it failed. */
  readonly onTool?: (tail: () => string) => void;
}

/** Counts a run's bytes and says at most twice a second how far it is. */
export class Progress {
  private step = '';
  private read = 0;
  private startedAt = performance.now();
  private reportedAt = 0;

  constructor(
    private readonly listener: RunListener,
    /** Bytes to come, as far as known. */
    public expectedBytes: number | null = null,
    private readonly storedBytes: () => number = () => 0,
  ) {}

  get bytesRead(): number {
    return this.read;
  }

  begin(step: string, detail?: string): void {
    this.step = step;
    this.listener.onStep?.({ name: step, at: new Date().toISOString(), ...(detail === undefined ? {} : { detail }) });
    this.report();
  }

  /** Starts the clock of the rate: bytes begin to flow. */
  startFlow(): void {
    this.startedAt = performance.now();
  }

  add(sizeBytes: number): void {
    this.read += sizeBytes;
    if (performance.now() - this.reportedAt >= REPORT_EVERY_MS) this.report();
  }

  private report(): void {
    this.reportedAt = performance.now();
    const seconds = Math.max(0.001, (this.reportedAt - this.startedAt) / 1000);
    const rate = this.read / seconds;
    const left = this.expectedBytes === null ? null : Math.max(0, this.expectedBytes - this.read);
    this.listener.onProgress?.({
      progress: this.expectedBytes ? Math.min(99, Math.floor((this.read / this.expectedBytes) * 100)) : 0,
      currentStep: this.step,
      bytesRead: this.read,
      bytesStored: this.storedBytes(),
      bytesPerSecond: Math.round(rate),
      etaSeconds: left === null || rate === 0 ? null : Math.round(left / rate),
    });
  }
}
