import type { AgentToServerEvents, ServerToAgentEvents } from '@rahatback/contracts';
import { AGENT_NAMESPACE } from '@rahatback/contracts';
import { io, type Socket } from 'socket.io-client';

export type AgentSocket = Socket<ServerToAgentEvents, AgentToServerEvents>;

export interface AgentSocketOptions {
  /** Longest pause between two attempts to reconnect, default 30,000. */
  readonly maxReconnectDelayMs?: number;
}

const FIRST_RECONNECT_DELAY_MS = 500;
const MAX_RECONNECT_DELAY_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * The one outbound connection of an agent, not yet open: call `connect()`. WebSocket only (a long poll would hide a dead peer), reconnects by
 * itself with growing pauses and ±50 % jitter, so that a restarted server is not met by all agents at once. Whatever is emitted while it is away
 * would be buffered and sent before the handshake: emit only when registered.
 * @param serverUrl `https://host[:port][/prefix]`; the prefix is where a proxy serves RahatBack
 * @throws TypeError when it is no URL
 */
export function openAgentSocket(serverUrl: string, options: AgentSocketOptions = {}): AgentSocket {
  const { origin, pathname } = new URL(serverUrl);
  return io(`${origin}${AGENT_NAMESPACE}`, {
    path: `${pathname.replace(/\/+$/, '')}/socket.io`,
    transports: ['websocket'],
    autoConnect: false,
    forceNew: true,
    reconnectionDelay: FIRST_RECONNECT_DELAY_MS,
    reconnectionDelayMax: options.maxReconnectDelayMs ?? MAX_RECONNECT_DELAY_MS,
    randomizationFactor: 0.5,
    timeout: CONNECT_TIMEOUT_MS,
  });
}
