import { Injectable } from '@nestjs/common';
import type { AgentAuthenticator, AgentEvent, AgentHandler, AgentMessage, AgentSession } from './agent-session.js';

type AnyHandler = (agent: AgentSession, message: unknown) => Promise<unknown>;

/** Which module answers which event of an agent. Modules register in onModuleInit; the gateway asks. */
@Injectable()
export class AgentMessageRouter {
  private readonly handlers = new Map<string, AnyHandler>();
  private authenticator: AgentAuthenticator | undefined;

  /** One handler per event; the gateway has checked the frame's shape before it calls. A thrown AppError becomes the acknowledgement. */
  on<E extends AgentEvent>(event: E, handler: AgentHandler<E>): void {
    if (this.handlers.has(event)) throw new Error(`Two modules want to answer ${event}.`);
    this.handlers.set(event, (agent, message) => handler(agent, message as AgentMessage<E>));
  }

  setAuthenticator(authenticator: AgentAuthenticator): void {
    if (this.authenticator) throw new Error('There is an authenticator of agents already.');
    this.authenticator = authenticator;
  }

  handlerOf(event: string): AnyHandler | undefined {
    return this.handlers.get(event);
  }

  authenticatorOrNone(): AgentAuthenticator | undefined {
    return this.authenticator;
  }
}
