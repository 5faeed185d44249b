import { randomInt } from 'node:crypto';
import type { AgentSocket } from '@rahatback/api-client';
import type {
  AgentChallenge,
  CommandReceipt,
  CommandType,
  ErrorBody,
  ErrorCode,
  Heartbeat,
  ProgressReport,
  RegisterAnswer,
  Result,
  SignedCommand,
} from '@rahatback/contracts';
import { AppError, COMMAND_TYPES, errorFromBody } from '@rahatback/contracts';
import { deferred } from '../deferred.js';
import { asAppError } from '../errors.js';
import type { AgentLog } from '../log.js';
import { Heart } from './heart.js';
import type { RequestAnswer, RequestEvent, RequestMessage } from './request.js';

export interface LinkHandlers {
  /** Proves who this agent is and takes the session; throws what forbids it. */
  register(challenge: AgentChallenge, send: AgentSocket): Promise<RegisterAnswer>;
  /** The session stands. What it throws ends the connection. */
  onReady(): Promise<void>;
  onCommand(type: CommandType, command: SignedCommand, reply: (receipt: Result<CommandReceipt>) => void): void;
  heartbeat(): Heartbeat;
  onStop(commandIds: readonly string[]): void;
  onServerTime(serverTime: string): void;
  /** Whenever the link's state changes, and at every sign of life. */
  onChange(state: LinkReport): void;
  /** Revoked: this agent must not come back. */
  onRevoked(error: AppError): void;
}

export interface LinkReport {
  readonly link: 'connecting' | 'online' | 'quarantined' | 'refused';
  readonly error: AppError | null;
}

export interface LinkOptions {
  readonly socket: AgentSocket;
  readonly log: AgentLog;
  readonly handlers: LinkHandlers;
  /** After a refusal that a person must mend (quarantine, upgrade): how long until the next attempt. */
  readonly refusedRetryMs?: number;
  readonly requestTimeoutMs?: number;
  /** Silence after which the connection counts as dead, at most. */
  readonly offlineAfterMs?: number;
}

const REFUSED_RETRY_MS = 60_000;
const CUT_RETRY_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;
const OFFLINE_AFTER_MS = 45_000;

/** A beat that is answered so means that this session is not the agent's any more. */
const ENDS_SESSION: ReadonlySet<ErrorCode> = new Set(['AGENT_REVOKED', 'AGENT_QUARANTINED', 'FENCED']);

/** One connection to the server that heals itself: handshake, heartbeat, and requests that wait until the session stands. */
export class ServerLink {
  readonly #socket: AgentSocket;
  readonly #heart: Heart;
  #isReady = false;
  #isClosed = false;
  #waiters: (() => void)[] = [];
  #reconnect: NodeJS.Timeout | undefined;
  #lastContactAt = performance.now();
  #leaseMs = Number.POSITIVE_INFINITY;

  constructor(private readonly options: LinkOptions) {
    this.#socket = options.socket;
    this.#heart = new Heart({
      beat: () => this.#beat(),
      onSilence: () => this.#dropDead(),
      offlineAfterMs: options.offlineAfterMs ?? OFFLINE_AFTER_MS,
    });
    this.#listen();
  }

  start(): void {
    this.options.handlers.onChange({ link: 'connecting', error: null });
    this.#socket.connect();
  }

  /** May run twice. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#reconnect);
    this.#lost();
    this.#socket.disconnect();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** How long the server still holds this agent's leases for it, by the last beat that it acknowledged. */
  leaseLeftMs(): number {
    return this.#lastContactAt + this.#leaseMs - performance.now();
  }

  /** Resolves when the session stands, at once if it does. @throws the signal's reason */
  async whenReady(signal: AbortSignal): Promise<void> {
    while (!this.#isReady) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = deferred<undefined>();
      const wake = (): void => resolve(undefined);
      const stop = (): void => reject(asAppError(signal.reason));
      this.#waiters.push(wake);
      signal.addEventListener('abort', stop, { once: true });
      try {
        await promise;
      } finally {
        signal.removeEventListener('abort', stop);
        this.#waiters = this.#waiters.filter((waiter) => waiter !== wake);
      }
    }
  }

  /** One question, once. @throws AppError UNAVAILABLE when there is no session, AGENT_TIMEOUT when no answer came */
  async ask<E extends RequestEvent>(event: E, message: RequestMessage<E>): Promise<Result<RequestAnswer<E>>> {
    if (!this.#isReady) throw new AppError('UNAVAILABLE', 'The server is away: the agent connects again by itself.');
    const answer = await this.#emit(event, message);
    return answer as Result<RequestAnswer<E>>;
  }

  /** For progress: dropped while the connection is away or slow. */
  emitVolatile(event: 'backup:progress' | 'restore:progress' | 'verification:progress', message: ProgressReport): void {
    if (this.#isReady) (this.#socket.volatile as { emit(name: string, body: unknown): unknown }).emit(event, message);
  }

  async #emit(event: string, message: unknown): Promise<Result<unknown>> {
    const timed = this.#socket.timeout(this.options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS) as unknown as {
      emitWithAck(name: string, body: unknown): Promise<Result<unknown>>;
    };
    try {
      return await timed.emitWithAck(event, message);
    } catch (error) {
      throw new AppError('AGENT_TIMEOUT', `The server did not answer ${event}.`, undefined, { cause: error });
    }
  }

  #listen(): void {
    const socket = this.#socket;
    const { handlers, log } = this.options;
    socket.on('agent:challenge', (challenge) => {
      this.#handshake(challenge).catch((error: unknown) => log.error({ err: error }, 'The handshake broke'));
    });
    socket.on('agent:cut', (reason) => this.#cut(reason));
    for (const type of COMMAND_TYPES) {
      socket.on(type, (command: SignedCommand, ack: (receipt: Result<CommandReceipt>) => void) =>
        handlers.onCommand(type, command, typeof ack === 'function' ? ack : () => undefined),
      );
    }
    socket.on('disconnect', (reason) => {
      log.info({ reason }, 'Disconnected from the server');
      // What the client library holds back while it thinks the server gone (a stepped clock is enough) it would send on the next connection, before
      // this agent has said who it is. Whoever asked hears of the disconnection instead, and asks again.
      socket.sendBuffer = [];
      this.#lost();
      handlers.onChange({ link: 'connecting', error: null });
      // Only a break on the way is mended by the client library itself.
      if (!socket.active) this.#connectLater(CUT_RETRY_MS);
    });
    socket.on('connect_error', (error) => {
      log.warn({ reason: error.message }, 'The server does not answer yet');
      handlers.onChange({
        link: 'connecting',
        error: new AppError('UNAVAILABLE', `The server does not answer: ${error.message}`),
      });
      if (!socket.active) this.#connectLater(CUT_RETRY_MS);
    });
  }

  async #handshake(challenge: AgentChallenge): Promise<void> {
    const { handlers, log } = this.options;
    const connection = this.#socket.id;
    try {
      const answer = await handlers.register(challenge, this.#socket);
      if (this.#socket.id !== connection || this.#isClosed) return;
      handlers.onServerTime(answer.serverTime);
      this.#leaseMs = answer.leaseMs;
      this.#alive(performance.now());
      this.#isReady = true;
      this.#heart.start(answer.heartbeatIntervalMs);
      await handlers.onReady();
      handlers.onChange({ link: 'online', error: null });
      for (const wake of this.#waiters) wake();
    } catch (error) {
      if (this.#socket.id !== connection || this.#isClosed) return;
      log.error({ error: asAppError(error).toBody() }, 'The handshake failed');
      this.#refused(asAppError(error));
    }
  }

  #refused(error: AppError): void {
    const { handlers } = this.options;
    if (error.code === 'AGENT_REVOKED') {
      this.close();
      handlers.onRevoked(error);
      return;
    }
    const needsPerson = error.kind === 'user';
    const isQuarantined = error.code === 'AGENT_QUARANTINED';
    this.#lost();
    this.#socket.disconnect();
    this.#connectLater(needsPerson ? (this.options.refusedRetryMs ?? REFUSED_RETRY_MS) : CUT_RETRY_MS);
    handlers.onChange({ link: isQuarantined ? 'quarantined' : needsPerson ? 'refused' : 'connecting', error });
  }

  #cut(reason: ErrorBody): void {
    const error = errorFromBody(reason);
    this.options.log.warn({ error: error.toBody() }, 'The server cut the connection');
    this.#refused(error);
  }

  async #beat(): Promise<void> {
    const { handlers } = this.options;
    // The server renews the leases when it receives the beat, so counting from the sending is never too long.
    const sentAt = performance.now();
    const result = await this.ask('heartbeat', handlers.heartbeat());
    if (!result.ok) {
      const error = errorFromBody(result.error);
      if (ENDS_SESSION.has(error.code)) this.#refused(error);
      throw error;
    }
    handlers.onServerTime(result.value.serverTime);
    this.#alive(sentAt);
    handlers.onChange({ link: 'online', error: null });
    handlers.onStop(result.value.stop);
  }

  #alive(at: number): void {
    this.#lastContactAt = Math.max(this.#lastContactAt, at);
  }

  /** A peer that is gone without a word (no RST): only silence tells. */
  #dropDead(): void {
    this.options.log.warn('No sign of life from the server: connecting again');
    this.#lost();
    this.#socket.disconnect();
    this.#connectLater(0);
  }

  #lost(): void {
    this.#isReady = false;
    this.#heart.stop();
  }

  #connectLater(afterMs: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#reconnect);
    const jittered = (afterMs * randomInt(75, 126)) / 100;
    this.#reconnect = setTimeout(() => {
      if (!this.#isClosed) this.#socket.connect();
    }, jittered);
  }
}
