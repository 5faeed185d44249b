import type { IncomingMessage } from 'node:http';
import type { AppConfig } from '../config/app-config.js';
import { clientAddressOf, countedAs } from '../http/client-address.js';
import { SocketMeter } from './socket-meter.js';
import type { EngineSocket } from './socket-meter.js';
import { countRefusal } from './socket-metrics.js';

/** Sockets of one address that have not said who they are. */
const STRANGERS_PER_ADDRESS = 100;

interface Counts {
  sockets: number;
  strangers: number;
}

interface Entry {
  readonly meter: SocketMeter;
  leaveStrangers(): void;
}

/** Who may open a socket at all, and the meter of each one that is open. Counts for this process. */
export class SocketGate {
  private readonly counts = new Map<string, Counts>();
  private readonly entries = new WeakMap<object, Entry>();
  private readonly clientAddress: (request: IncomingMessage) => string;

  constructor(private readonly config: AppConfig) {
    this.clientAddress = clientAddressOf(config.trustProxy);
  }

  addressOf(request: IncomingMessage): string {
    return this.clientAddress(request);
  }

  /** Why this handshake is refused; undefined if it is not. */
  refusalOf(request: IncomingMessage): 'ORIGIN_FORBIDDEN' | 'RATE_LIMITED' | undefined {
    const { origin } = request.headers;
    const foreign = origin !== undefined && !this.config.allowedOrigins.includes(origin);
    const { sockets = 0, strangers = 0 } = this.counts.get(this.keyOf(request)) ?? {};
    const crowded = sockets >= this.config.socketsPerAddress || strangers >= STRANGERS_PER_ADDRESS;
    if (!foreign && !crowded) return undefined;
    countRefusal(foreign ? 'origin' : 'address');
    return foreign ? 'ORIGIN_FORBIDDEN' : 'RATE_LIMITED';
  }

  /** Every socket passes here once, before its first frame. */
  watch(socket: EngineSocket): void {
    const key = this.keyOf(socket.request);
    const counts = this.counts.get(key) ?? { sockets: 0, strangers: 0 };
    this.counts.set(key, counts);
    counts.sockets += 1;
    counts.strangers += 1;
    let isStranger = true;
    const leaveStrangers = (): void => {
      if (isStranger) counts.strangers -= 1;
      isStranger = false;
    };
    this.entries.set(socket, { meter: new SocketMeter(socket), leaveStrangers });
    socket.once('close', () => {
      leaveStrangers();
      counts.sockets -= 1;
      if (counts.sockets === 0) this.counts.delete(key);
    });
  }

  /** This connection has said who it is. `connection`: what Socket.IO calls `conn`. */
  trust(connection: object): void {
    const entry = this.entries.get(connection);
    entry?.meter.trust();
    entry?.leaveStrangers();
  }

  private keyOf(request: IncomingMessage): string {
    return countedAs(this.clientAddress(request));
  }
}
