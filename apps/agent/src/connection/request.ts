import type { AgentToServerEvents, Result } from '@rahatback/contracts';

/** Events that the server answers, all but the handshake's own. */
export type RequestEvent = {
  [E in keyof AgentToServerEvents]: Parameters<AgentToServerEvents[E]> extends [unknown, unknown] ? E : never;
}[keyof AgentToServerEvents];

export type RequestMessage<E extends RequestEvent> = Parameters<AgentToServerEvents[E]>[0];

export type RequestAnswer<E extends RequestEvent> =
  Parameters<AgentToServerEvents[E]> extends [unknown, (result: Result<infer T>) => void] ? T : never;
