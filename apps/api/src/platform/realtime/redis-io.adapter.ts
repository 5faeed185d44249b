import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { Server } from 'socket.io';
import { SocketHub } from './socket-hub.js';

/** Lets Nest's gateways use the process's one Socket.IO server, which sits on the Redis adapter. */
export class RedisIoAdapter extends IoAdapter {
  private readonly hub: SocketHub;
  private attached = false;

  constructor(app: INestApplicationContext) {
    super(app);
    this.hub = app.get(SocketHub);
  }

  override createIOServer(): Server {
    const server = this.hub.server as unknown as Server;
    if (!this.attached) this.hub.attach(this.httpServer as Parameters<Server['attach']>[0]);
    this.attached = true;
    return server;
  }
}
