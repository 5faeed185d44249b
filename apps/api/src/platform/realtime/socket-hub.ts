import type { AgentToServerEvents, PersonToServerEvents, ServerToAgentEvents, ServerToPersonEvents } from '@rahatback/contracts';
import { AGENT_NAMESPACE } from '@rahatback/contracts';
import { Injectable } from '@nestjs/common';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import { createAdapter } from '@socket.io/redis-adapter';
import { Server } from 'socket.io';
import type { DefaultEventsMap, Namespace } from 'socket.io';
import { AppConfig } from '../config/app-config.js';
import { RedisClients } from '../queues/redis-clients.js';
import type { AgentSession } from './agent-session.js';

export interface AgentSocketData {
  session?: AgentSession;
}
export interface PersonSocketData {
  userId: string;
  workspaceId: string;
  sessionId: string;
}
export type AgentNamespace = Namespace<AgentToServerEvents, ServerToAgentEvents, DefaultEventsMap, AgentSocketData>;
export type PersonServer = Server<PersonToServerEvents, ServerToPersonEvents, DefaultEventsMap, PersonSocketData>;

const MAX_FRAME_BYTES = 1_000_000;
const REQUEST_TIMEOUT_MS = 5000;

/**
 * One Socket.IO server per process over the Redis adapter. The API attaches it to its HTTP server; a worker leaves it unattached and only
 * sends. WebSocket only: no sticky sessions, and no long polling of agents.
 */
@Injectable()
export class SocketHub implements BeforeApplicationShutdown {
  readonly server: PersonServer;

  constructor(config: AppConfig, redis: RedisClients) {
    this.server = new Server({
      transports: ['websocket'],
      serveClient: false,
      maxHttpBufferSize: MAX_FRAME_BYTES,
      pingInterval: 10_000,
      pingTimeout: 10_000,
      connectTimeout: 10_000,
      allowRequest: (request, decide) => {
        const { origin } = request.headers;
        const allowed = origin === undefined || config.allowedOrigins.includes(origin);
        decide(allowed ? null : 'ORIGIN_FORBIDDEN', allowed);
      },
      adapter: createAdapter(redis.duplicate('sockets-pub'), redis.duplicate('sockets-sub'), {
        key: 'rahatback',
        requestsTimeout: REQUEST_TIMEOUT_MS,
      }),
    });
    this.agents();
  }

  agents(): AgentNamespace {
    return this.server.of(AGENT_NAMESPACE) as unknown as AgentNamespace;
  }

  /** Sockets go first, so that agents reconnect elsewhere while requests end. */
  async beforeApplicationShutdown(): Promise<void> {
    this.server.disconnectSockets(true);
    this.agents().disconnectSockets(true);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
