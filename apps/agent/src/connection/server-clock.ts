/** The server's time, carried on by this machine's monotonic clock: a step of the local clock changes nothing. */
export class ServerClock {
  #offsetMs: number | undefined;

  constructor(private readonly monotonicMs: () => number = () => performance.now()) {}

  /** @param serverTime ISO 8601, as a handshake or heartbeat answered; anything else is ignored */
  set(serverTime: string): void {
    const at = Date.parse(serverTime);
    if (!Number.isNaN(at)) this.#offsetMs = at - this.monotonicMs();
  }

  /** Milliseconds since 1970 by the server; the local clock's as long as no server has spoken. */
  now(): number {
    return this.#offsetMs === undefined ? Date.now() : this.#offsetMs + this.monotonicMs();
  }
}
