import type { AgentToServerEvents, PersonToServerEvents, ServerToAgentEvents, ServerToPersonEvents } from '@rahatback/contracts';
import { AGENT_NAMESPACE } from '@rahatback/contracts';
import { Injectable } from '@nestjs/common';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import { createAdapter } from '@socket.io/redis-adapter';
import { MAX_PARTS_PER_VOLUME } from '@rahatback/storage';
import { Server } from 'socket.io';
import type { DefaultEventsMap, Namespace } from 'socket.io';
import { AppConfig } from '../config/app-config.js';
import { RedisClients } from '../queues/redis-clients.js';
import type { AgentSession } from './agent-session.js';
import { SocketGate } from './socket-gate.js';
import type { EngineSocket } from './socket-meter.js';

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

/** The largest frame is the completion of a volume: all its parts, each with length and three checksums, and some room. */
export const MAX_FRAME_BYTES = MAX_PARTS_PER_VOLUME * 256 + 100_000;
/** A connection that has not joined a namespace by then is closed. */
const JOIN_WITHIN_MS = 5000;
const REQUEST_TIMEOUT_MS = 5000;

/**
 * One Socket.IO server per process over the Redis adapter. The API attaches it to its HTTP server; a worker leaves it unattached and only
 * sends. WebSocket only: no sticky sessions, and no long polling of agents.
 */
@Injectable()
export class SocketHub implements BeforeApplicationShutdown {
  readonly server: PersonServer;
  readonly gate: SocketGate;

  constructor(config: AppConfig, redis: RedisClients) {
    this.gate = new SocketGate(config);
    this.server = new Server({
      transports: ['websocket'],
      serveClient: false,
      maxHttpBufferSize: MAX_FRAME_BYTES,
      pingInterval: 10_000,
      pingTimeout: 10_000,
      connectTimeout: JOIN_WITHIN_MS,
      perMessageDeflate: false, // a small frame must not become a large one
      allowRequest: (request, decide) => {
        const refusal = this.gate.refusalOf(request);
        decide(refusal ?? null, refusal === undefined);
      },
      adapter: createAdapter(redis.duplicate('sockets-pub'), redis.duplicate('sockets-sub'), {
        key: 'rahatback',
        requestsTimeout: REQUEST_TIMEOUT_MS,
      }),
    });
    this.agents();
  }

  /** Accepts sockets on this HTTP server. */
  attach(http: Parameters<PersonServer['attach']>[0]): void {
    this.server.attach(http);
    const engine = this.server.engine as unknown as { on(event: 'connection', watch: (socket: EngineSocket) => void): void };
    engine.on('connection', (socket) => this.gate.watch(socket));
  }

  agents(): AgentNamespace {
    return this.server.of(AGENT_NAMESPACE) as unknown as AgentNamespace;
  }

  /** This process's own sockets go first, so that agents reconnect elsewhere while requests end. Those of other processes stay. */
  async beforeApplicationShutdown(): Promise<void> {
    this.server.local.disconnectSockets(true);
    this.agents().local.disconnectSockets(true);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
