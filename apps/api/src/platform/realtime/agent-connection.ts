import type { LoggerService } from '@nestjs/common';
import { AppError, failed, ok } from '@rahatback/contracts';
import type { RegisterMessage, Result } from '@rahatback/contracts';
import type { Socket } from 'socket.io';
import { toAppError, toErrorBody } from '../errors/to-error-body.js';
import { assertPlainJson } from '../http/json-shape.js';
import { correlationId, withCorrelation } from '../logging/correlation.js';
import { agentRoom } from './agent-channel.js';
import { frameOf } from './agent-frames.js';
import type { AgentMessageRouter } from './agent-message-router.js';
import type { AgentAuthenticator, AgentSession } from './agent-session.js';
import { countRefusal } from './socket-metrics.js';
import { TokenBucket } from './token-bucket.js';

const REGISTER_WITHIN_MS = 5000;
const STRIKES = 3;
const MAX_AT_ONCE = 256;
const FRAMES_PER_SECOND = 500;

type Ack = (result: Result<unknown>) => void;

const badFrame = (why: string): AppError => new AppError('WS_BAD_FRAME', `The frame was refused: ${why}.`);

/** One socket of an agent, from the challenge to the end. */
export class AgentConnection {
  private session: AgentSession | undefined;
  private registering = false;
  private strikes = 0;
  private atOnce = 0;
  private readonly frames = new TokenBucket(FRAMES_PER_SECOND, FRAMES_PER_SECOND);
  private nonce = '';

  constructor(
    private readonly socket: Socket,
    private readonly router: AgentMessageRouter,
    private readonly log: LoggerService,
    private readonly peer: { readonly ip: string; trust(): void },
  ) {}

  start(): void {
    const authenticator = this.router.authenticatorOrNone();
    if (!authenticator) {
      this.socket.disconnect(true);
      return;
    }
    const limit = setTimeout(
      () => this.close(new AppError('AGENT_AUTH_FAILED', 'The agent did not register within 5 s. Connect again.')),
      REGISTER_WITHIN_MS,
    );
    this.socket.onAny((event: string, ...args: unknown[]) => {
      withCorrelation(undefined, () => this.receive(event, args, authenticator, limit)).catch((error: unknown) => {
        this.log.error({ err: error, event }, 'A frame could not be answered.');
      });
    });
    this.socket.once('disconnect', () => {
      clearTimeout(limit);
      this.leave(authenticator);
    });
    const challenge = authenticator.challenge();
    this.nonce = challenge.nonce;
    this.socket.emit('agent:challenge', challenge);
  }

  private async receive(event: string, args: unknown[], authenticator: AgentAuthenticator, limit: NodeJS.Timeout): Promise<void> {
    const last = args.at(-1);
    const ack: Ack | undefined = typeof last === 'function' ? (last as Ack) : undefined;
    try {
      const message = this.checked(event, args[0]);
      // On a line of its own: an optional call does not even evaluate its argument when there is nobody to acknowledge to.
      const value = await this.answer(event, message, authenticator, limit);
      ack?.(ok(value));
    } catch (error) {
      this.refuse(event, error, ack);
    }
  }

  private checked(event: string, message: unknown): unknown {
    this.spendAllowance();
    const schema = frameOf(event);
    if (!schema) throw badFrame('there is no such event');
    if (typeof message !== 'object' || message === null) throw badFrame('it is not an object');
    try {
      assertPlainJson(message);
    } catch {
      throw badFrame('it is nested too deeply or has a forbidden key');
    }
    const parsed = schema.safeParse(message);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw badFrame(`${issue?.path.map(String).join('.') || 'message'}: ${issue?.message ?? 'not valid'}`);
  }

  private async answer(
    event: string,
    message: unknown,
    authenticator: AgentAuthenticator,
    limit: NodeJS.Timeout,
  ): Promise<unknown> {
    if (event === 'agent:register') return this.register(message as RegisterMessage, authenticator, limit);
    if (!this.session) throw badFrame('register first');
    const handler = this.router.handlerOf(event);
    if (!handler) throw badFrame('this server does not answer this event');
    if (this.atOnce >= MAX_AT_ONCE)
      throw new AppError('RATE_LIMITED', 'Too many messages are in work. Wait for their answers.', { retryAfterSeconds: 1 });
    this.atOnce += 1;
    try {
      return await handler(this.session, message);
    } finally {
      this.atOnce -= 1;
    }
  }

  private async register(message: RegisterMessage, authenticator: AgentAuthenticator, limit: NodeJS.Timeout): Promise<unknown> {
    if (this.session || this.registering) throw badFrame('this socket has registered already');
    this.registering = true; // a nonce is good for one attempt
    clearTimeout(limit);
    try {
      const { session, answer } = await authenticator.authenticate(this.nonce, message, this.socket.id);
      this.session = session;
      this.peer.trust();
      if (!this.socket.connected) {
        this.leave(authenticator);
        return answer;
      }
      (this.socket.data as { session?: AgentSession }).session = session;
      await this.socket.join(agentRoom(session.agentId));
      return answer;
    } catch (error) {
      const { code } = toAppError(error);
      this.log.log(
        { event: 'agent.register_refused', agentId: message.agentId, ip: this.peer.ip, code },
        'An agent was not let in.',
      );
      countRefusal('registration');
      setImmediate(() => this.socket.disconnect(true)); // after the acknowledgement
      throw error;
    }
  }

  private refuse(event: string, error: unknown, ack: Ack | undefined): void {
    const known = toAppError(error);
    if (known.kind === 'unexpected')
      this.log.error({ err: known.cause ?? known, event }, 'A message of an agent failed for a reason that we do not know.');
    const body = toErrorBody(known, correlationId());
    ack?.(failed(body));
    if (known.code !== 'WS_BAD_FRAME') return;
    countRefusal('bad frame');
    if (!ack) this.socket.emit('agent:refused', body);
    this.strikes += 1;
    if (this.strikes >= STRIKES) this.close(known);
  }

  /** Beyond it frames are refused, which an agent that means well never sees. */
  private spendAllowance(): void {
    if (this.frames.take(0) > 0 || this.frames.take(1) > 0)
      throw new AppError('RATE_LIMITED', 'Too many messages. Send fewer than 500 a second.', { retryAfterSeconds: 1 });
  }

  private close(reason: AppError): void {
    this.socket.emit('agent:cut', reason.toBody());
    this.socket.disconnect(true);
  }

  private leave(authenticator: AgentAuthenticator): void {
    const { session } = this;
    this.session = undefined;
    if (!session) return;
    authenticator.disconnected(session).catch((error: unknown) => {
      this.log.error({ err: error }, 'The end of an agent session could not be noted.');
    });
  }
}
