import { Injectable } from '@nestjs/common';
import type { CommandReceipt, CommandType, ErrorBody, Result, SignedCommand } from '@rahatback/contracts';
import { SocketHub } from './socket-hub.js';

export const agentRoom = (agentId: string): string => `agent:${agentId}`;

interface AckingRoom {
  emitWithAck(event: string, message: unknown): Promise<unknown[]>;
}

/** Reaches an agent wherever its socket is: same process, another API process, or from a worker. */
@Injectable()
export class AgentChannel {
  constructor(private readonly hub: SocketHub) {}

  /**
   * Sends a command and waits for the receipt. 'offline': nobody is in the agent's room (comes at once). 'timeout': somebody is, or Redis is
   * away; the command may have arrived, so it must be sent again later under the same id.
   */
  async send(
    agentId: string,
    event: CommandType,
    command: SignedCommand,
    timeoutMs: number,
  ): Promise<Result<CommandReceipt> | 'offline' | 'timeout'> {
    const room = this.hub.agents().to(agentRoom(agentId)).timeout(timeoutMs) as unknown as AckingRoom;
    let answers: unknown[];
    try {
      answers = await room.emitWithAck(event, command);
    } catch (error) {
      answers = (error as { responses?: unknown[] }).responses ?? [];
      if (answers.length === 0) return 'timeout';
    }
    return answers.length === 0 ? 'offline' : (answers[0] as Result<CommandReceipt>);
  }

  /** Tells the agent why and closes its sockets, except the one that is to stay. */
  cut(agentId: string, error: ErrorBody, exceptSocketId?: string): void {
    const all = this.hub.agents().to(agentRoom(agentId));
    const room = exceptSocketId === undefined ? all : all.except(exceptSocketId);
    room.emit('agent:cut', error);
    room.disconnectSockets(true);
  }
}
