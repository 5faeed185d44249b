import { Logger } from '@nestjs/common';
import type { OnGatewayConnection } from '@nestjs/websockets';
import { WebSocketGateway } from '@nestjs/websockets';
import { AGENT_NAMESPACE } from '@rahatback/contracts';
import type { Socket } from 'socket.io';
import { AgentConnection } from './agent-connection.js';
import { AgentMessageRouter } from './agent-message-router.js';

/** Where agents dial in. It knows frames and sessions; what a message means is known to the handlers that modules registered. */
@WebSocketGateway({ namespace: AGENT_NAMESPACE })
export class AgentGateway implements OnGatewayConnection<Socket> {
  private readonly log = new Logger(AgentGateway.name);

  constructor(private readonly router: AgentMessageRouter) {}

  handleConnection(socket: Socket): void {
    new AgentConnection(socket, this.router, this.log).start();
  }
}
