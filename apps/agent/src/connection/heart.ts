export interface HeartOptions {
  /** One beat; resolves when the server has acknowledged it. */
  readonly beat: () => Promise<void>;
  /** Called once when no beat was acknowledged for so long that the peer counts as gone. */
  readonly onSilence: () => void;
  readonly offlineAfterMs: number;
}

/** Beats at once and then at each interval; a peer that does not answer within `offlineAfterMs`, or three beats, is gone. */
export class Heart {
  #beats: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor(private readonly options: HeartOptions) {}

  start(intervalMs: number): void {
    this.stop();
    const silenceMs = Math.min(this.options.offlineAfterMs, 3 * intervalMs);
    this.#await(silenceMs);
    const beat = (): void => {
      this.options.beat().then(
        () => this.#beats !== undefined && this.#await(silenceMs),
        () => undefined,
      );
    };
    this.#beats = setInterval(beat, intervalMs);
    beat();
  }

  stop(): void {
    clearInterval(this.#beats);
    clearTimeout(this.#silence);
    this.#beats = undefined;
  }

  #await(silenceMs: number): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.options.onSilence(), silenceMs);
  }
}
