import { Injectable } from '@nestjs/common';
import type { ServerToPersonEvents } from '@rahatback/contracts';
import { SocketHub } from './socket-hub.js';

export const workspaceRoom = (workspaceId: string): string => `workspace:${workspaceId}`;
export const userRoom = (userId: string): string => `user:${userId}`;
export const sessionRoom = (sessionId: string): string => `session:${sessionId}`;

/** Tells people's pages what changed. Call it after the commit only (`Database.afterCommit`); it is a hint and may be lost. */
@Injectable()
export class LiveEvents {
  constructor(private readonly hub: SocketHub) {}

  toWorkspace<E extends keyof ServerToPersonEvents>(
    workspaceId: string,
    event: E,
    payload: Parameters<ServerToPersonEvents[E]>[0],
  ): void {
    const room = this.hub.server.to(workspaceRoom(workspaceId)) as unknown as { emit(event: string, payload: unknown): boolean };
    room.emit(event, payload);
  }

  /** To the pages of one person only. */
  toPerson<E extends keyof ServerToPersonEvents>(
    userId: string,
    event: E,
    payload: Parameters<ServerToPersonEvents[E]>[0],
  ): void {
    const room = this.hub.server.to(userRoom(userId)) as unknown as { emit(event: string, payload: unknown): boolean };
    room.emit(event, payload);
  }

  /** Closes the sockets of a log-in that has ended, in every process. */
  closeSession(sessionId: string): void {
    this.hub.server.to(sessionRoom(sessionId)).disconnectSockets(true);
  }
}
