import type { OnGatewayInit } from '@nestjs/websockets';
import { WebSocketGateway } from '@nestjs/websockets';
import { AppError } from '@rahatback/contracts';
import type { Server, Socket } from 'socket.io';
import { AppConfig } from '../config/app-config.js';
import { toErrorBody } from '../errors/to-error-body.js';
import { AccessTokens } from '../http/access-tokens.js';
import { totpRequired } from '../http/jwt-auth.guard.js';
import { assertMayRead } from '../http/token-scope.guard.js';
import { sessionRoom, userRoom, workspaceRoom } from './live-events.js';
import type { PersonSocketData } from './socket-hub.js';

const STRIKES = 3;
const MAX_TIMER_MS = 2_147_483_647;

/** Where people's pages listen. Guards of HTTP do not reach sockets, so the handshake is checked here. */
@WebSocketGateway()
export class PeopleGateway implements OnGatewayInit<Server> {
  constructor(
    private readonly tokens: AccessTokens,
    private readonly config: AppConfig,
  ) {}

  afterInit(server: Server): void {
    server.use((socket, next) => {
      this.admit(socket).then(
        () => next(),
        (error: unknown) => {
          const body = toErrorBody(error);
          next(Object.assign(new Error(body.message), { data: body }));
        },
      );
    });
    server.on('connection', (socket) => this.welcome(socket));
  }

  private async admit(socket: Socket): Promise<void> {
    const { token: shown } = socket.handshake.auth as { token?: unknown };
    const token = typeof shown === 'string' ? shown : undefined;
    this.assertOrigin(socket.handshake.headers.origin, token);
    const { actor, expiresAt } = await this.tokens.authenticate(token, socket.handshake.address);
    if (actor.lacksTotp === true) throw totpRequired();
    if (actor.apiToken) assertMayRead(actor.apiToken);
    const data: PersonSocketData & { expiresAt: number } = {
      userId: actor.userId,
      workspaceId: actor.workspaceId,
      sessionId: actor.sessionId,
      expiresAt: expiresAt.getTime(),
    };
    Object.assign(socket.data as object, data);
    await socket.join([userRoom(actor.userId), workspaceRoom(actor.workspaceId), sessionRoom(actor.sessionId)]);
  }

  /** A page says where it is from. A program with an API token does not: no browser would send one on another site's behalf. */
  private assertOrigin(origin: string | undefined, token: string | undefined): void {
    if (origin === undefined && token !== undefined && this.tokens.isApiToken(token)) return;
    if (origin === undefined || !this.config.allowedOrigins.includes(origin)) {
      throw new AppError('ORIGIN_FORBIDDEN', 'This page may not listen. Open the console at its own address.');
    }
  }

  /** A socket lives no longer than the token that opened it: the page comes back with a fresh one. */
  private welcome(socket: Socket): void {
    const { expiresAt } = socket.data as { expiresAt: number };
    const timer = setTimeout(() => socket.disconnect(true), Math.min(Math.max(expiresAt - Date.now(), 0), MAX_TIMER_MS));
    let strikes = 0;
    socket.onAny(() => {
      strikes += 1; // people only listen
      if (strikes >= STRIKES) socket.disconnect(true);
    });
    socket.once('disconnect', () => clearTimeout(timer));
  }
}
