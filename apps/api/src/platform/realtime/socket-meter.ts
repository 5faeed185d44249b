import type { IncomingMessage } from 'node:http';
import { countRefusal } from './socket-metrics.js';
import { TokenBucket } from './token-bucket.js';

/** What is used of a socket of Engine.IO, below all namespaces. */
export interface EngineSocket {
  readonly request: IncomingMessage;
  readonly transport: {
    readonly socket: {
      readonly bufferedAmount: number;
      pause(): void;
      resume(): void;
      close(code: number, reason: string): void;
      terminate(): void;
    };
  };
  on(event: 'packet' | 'packetCreate', listener: (packet: { readonly type: string; readonly data?: unknown }) => void): unknown;
  on(event: 'flush', listener: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
}

/** Before it has said who it is: enough to register an agent with 200 tools. */
const STRANGER = { frames: 20, bytes: 300_000 };
/** Far above what an agent needs for a restore over 10,000 parts, far below what costs the process its CPU. */
const KNOWN = { framesPerSecond: 1000, frames: 2000, bytesPerSecond: 4_000_000, bytes: 16_000_000 };
/** What may wait for a slow reader. */
const MAX_UNSENT_BYTES = 4_000_000;
const PAUSES_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
/** RFC 6455, section 7.4.1. */
const UNSUPPORTED = 1003;
const POLICY = 1008;
const CLOSE_WITHIN_MS = 2000;

/** Length in UTF-16 units or bytes: what it costs to look at, not what was on the wire. */
const lengthOf = (data: unknown): number => (typeof data === 'string' || Buffer.isBuffer(data) ? data.length : 0);

/** Counts what one connection sends and what it leaves unread, and ends it before that hurts others. */
export class SocketMeter {
  private readonly frames = new TokenBucket(KNOWN.framesPerSecond, KNOWN.frames);
  private readonly bytes = new TokenBucket(KNOWN.bytesPerSecond, KNOWN.bytes);
  private readonly pauses = new TokenBucket(PAUSES_PER_MINUTE / (MINUTE_MS / 1000), PAUSES_PER_MINUTE);
  private readonly seen = { frames: 0, bytes: 0 };
  private isKnown = false;
  private isCut = false;
  private unflushedBytes = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly socket: EngineSocket) {
    socket.on('packet', ({ type, data }) => this.received(type, data));
    socket.on('packetCreate', ({ data }) => this.queued(lengthOf(data)));
    socket.on('flush', () => (this.unflushedBytes = 0));
    socket.once('close', () => clearTimeout(this.timer));
  }

  /** It has said who it is: from now on it may send what an agent or a page needs. */
  trust(): void {
    this.isKnown = true;
  }

  private received(type: string, data: unknown): void {
    if (this.isCut) return;
    const cost = lengthOf(data);
    this.seen.frames += 1;
    this.seen.bytes += cost;
    const waitFrames = this.frames.take(1);
    const waitMs = this.bytes.take(cost);
    if (type === 'message' && typeof data !== 'string') this.cut('binary', UNSUPPORTED, 'WS_BAD_FRAME: send text frames only.');
    else if (!this.isKnown && (this.seen.frames > STRANGER.frames || this.seen.bytes > STRANGER.bytes))
      this.cut('stranger', POLICY, 'RATE_LIMITED: say who you are first.');
    else if (waitFrames > 0)
      this.cut('frames', POLICY, `RATE_LIMITED: send fewer than ${KNOWN.framesPerSecond} frames a second.`);
    else if (waitMs > 0) this.pause(waitMs);
  }

  /** Nothing more is read until the allowance is back: the sender is slowed down by its own connection. */
  private pause(waitMs: number): void {
    if (this.timer) return;
    if (this.pauses.take(1) > 0) {
      this.cut('bytes', POLICY, `RATE_LIMITED: send less than ${KNOWN.bytesPerSecond / 1_000_000} MB a second.`);
      return;
    }
    const { socket } = this.socket.transport;
    socket.pause();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      socket.resume();
    }, waitMs);
  }

  private queued(bytes: number): void {
    this.unflushedBytes += bytes;
    const { socket } = this.socket.transport;
    if (this.isCut || this.unflushedBytes + socket.bufferedAmount <= MAX_UNSENT_BYTES) return;
    this.isCut = true;
    countRefusal('slow reader');
    socket.terminate(); // a close frame would wait behind what it does not read
  }

  /** Says why in the close frame, and does not wait long for the other side's. */
  private cut(reason: string, code: number, sentence: string): void {
    this.isCut = true;
    countRefusal(reason);
    const { socket } = this.socket.transport;
    clearTimeout(this.timer);
    socket.close(code, sentence);
    this.timer = setTimeout(() => socket.terminate(), CLOSE_WITHIN_MS);
  }
}
