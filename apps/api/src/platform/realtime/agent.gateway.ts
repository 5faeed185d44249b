import { Logger } from '@nestjs/common';
import type { OnGatewayConnection, OnGatewayInit } from '@nestjs/websockets';
import { WebSocketGateway } from '@nestjs/websockets';
import { AGENT_NAMESPACE, AppError } from '@rahatback/contracts';
import type { Namespace, Socket } from 'socket.io';
import { AgentConnection } from './agent-connection.js';
import { AgentMessageRouter } from './agent-message-router.js';
import { SocketHub } from './socket-hub.js';

const NOT_FOR_PAGES = new AppError('ORIGIN_FORBIDDEN', 'Pages do not connect here. Only agents do.');

/** Where agents dial in. It knows frames and sessions; what a message means is known to the handlers that modules registered. */
@WebSocketGateway({ namespace: AGENT_NAMESPACE })
export class AgentGateway implements OnGatewayConnection<Socket>, OnGatewayInit<Namespace> {
  private readonly log = new Logger(AgentGateway.name);

  constructor(
    private readonly router: AgentMessageRouter,
    private readonly hub: SocketHub,
  ) {}

  /** Agents are programs: a browser, which always says its page, has no business here. */
  afterInit(namespace: Namespace): void {
    namespace.use((socket, next) => {
      if (socket.handshake.headers.origin === undefined) next();
      else next(Object.assign(new Error(NOT_FOR_PAGES.message), { data: NOT_FOR_PAGES.toBody() }));
    });
  }

  handleConnection(socket: Socket): void {
    const ip = this.hub.gate.addressOf(socket.request);
    new AgentConnection(socket, this.router, this.log, { ip, trust: () => this.hub.gate.trust(socket.conn) }).start();
  }
}
