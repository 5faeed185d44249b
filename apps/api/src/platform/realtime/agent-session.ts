import type { AgentChallenge, AgentToServerEvents, RegisterAnswer, RegisterMessage, Result } from '@rahatback/contracts';

/** An agent that has proved who it is on one socket. */
export interface AgentSession {
  readonly agentId: string;
  readonly workspaceId: string;
  readonly socketId: string;
  readonly generation: number;
}

/** Implemented by the agents module and handed to `AgentMessageRouter.setAuthenticator`. */
export interface AgentAuthenticator {
  challenge(): AgentChallenge;
  authenticate(
    nonce: string,
    message: RegisterMessage,
    socketId: string,
  ): Promise<{ session: AgentSession; answer: RegisterAnswer }>;
  disconnected(session: AgentSession): Promise<void>;
}

export type AgentEvent = Exclude<keyof AgentToServerEvents, 'agent:register'>;
export type AgentMessage<E extends keyof AgentToServerEvents> = Parameters<AgentToServerEvents[E]>[0];
/** What the acknowledgement of `E` carries; void where the event has none. */
export type AgentAnswer<E extends keyof AgentToServerEvents> =
  Parameters<AgentToServerEvents[E]> extends [unknown, (result: Result<infer T>) => void] ? T : void;
export type AgentHandler<E extends AgentEvent> = (agent: AgentSession, message: AgentMessage<E>) => Promise<AgentAnswer<E>>;
