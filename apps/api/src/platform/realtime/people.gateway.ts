import { Logger } from '@nestjs/common';
import type { OnGatewayInit } from '@nestjs/websockets';
import { WebSocketGateway } from '@nestjs/websockets';
import { AppError, failed, type Result } from '@rahatback/contracts';
import type { Server, Socket } from 'socket.io';
import { AppConfig } from '../config/app-config.js';
import { toErrorBody } from '../errors/to-error-body.js';
import { AccessTokens } from '../http/access-tokens.js';
import type { Actor } from '../http/actor.js';
import { totpRequired } from '../http/jwt-auth.guard.js';
import { assertMayRead } from '../http/token-scope.guard.js';
import { sessionRoom, userRoom, workspaceRoom } from './live-events.js';
import { SocketHub } from './socket-hub.js';
import type { PersonSocketData } from './socket-hub.js';
import { countRefusal } from './socket-metrics.js';

const STRIKES = 3;
const SOCKETS_PER_WORKSPACE = 500;
const MAX_TIMER_MS = 2_147_483_647;

const ONLY_LISTEN = new AppError('WS_BAD_FRAME', 'Pages only listen here. Send requests over HTTP; see /docs.');

/** Where people's pages listen. Guards of HTTP do not reach sockets, so the handshake is checked here. */
@WebSocketGateway()
export class PeopleGateway implements OnGatewayInit<Server> {
  private readonly log = new Logger(PeopleGateway.name);

  constructor(
    private readonly tokens: AccessTokens,
    private readonly config: AppConfig,
    private readonly hub: SocketHub,
  ) {}

  afterInit(server: Server): void {
    server.use((socket, next) => {
      this.admit(socket).then(
        () => next(),
        (error: unknown) => {
          const body = toErrorBody(error);
          const ip = this.hub.gate.addressOf(socket.request);
          this.log.log({ event: 'page.listen_refused', ip, code: body.code }, 'A page was not let in.');
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
    const { actor, expiresAt } = await this.tokens.authenticate(token, this.hub.gate.addressOf(socket.request));
    if (actor.lacksTotp === true) throw totpRequired();
    if (actor.apiToken) assertMayRead(actor.apiToken);
    this.assertRoom(socket, actor);
    const data: PersonSocketData & { expiresAt: number } = {
      userId: actor.userId,
      workspaceId: actor.workspaceId,
      sessionId: actor.sessionId,
      expiresAt: expiresAt.getTime(),
    };
    Object.assign(socket.data as object, data);
    this.hub.gate.trust(socket.conn);
    // What concerns a person's account is not for the programs that they let in.
    const own = actor.apiToken ? [] : [userRoom(actor.userId)];
    await socket.join([...own, workspaceRoom(actor.workspaceId), sessionRoom(actor.sessionId)]);
  }

  /** In this process; rooms of others are not asked, because Redis may be away. */
  private assertRoom(socket: Socket, { userId, workspaceId }: Pick<Actor, 'userId' | 'workspaceId'>): void {
    const { rooms } = socket.nsp.adapter;
    const isOfPerson = (rooms.get(userRoom(userId))?.size ?? 0) >= this.config.socketsPerPerson;
    if (!isOfPerson && (rooms.get(workspaceRoom(workspaceId))?.size ?? 0) < SOCKETS_PER_WORKSPACE) return;
    countRefusal(isOfPerson ? 'person' : 'workspace');
    throw new AppError('RATE_LIMITED', 'Too many pages are open. Close some, then load this one again.', {
      retryAfterSeconds: 30,
    });
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
    socket.onAny((_event: string, ...args: unknown[]) => {
      strikes += 1; // people only listen
      countRefusal('bad frame');
      const ack = args.at(-1);
      if (typeof ack === 'function') (ack as (result: Result<never>) => void)(failed(ONLY_LISTEN.toBody()));
      if (strikes >= STRIKES) socket.disconnect(true);
    });
    socket.once('disconnect', () => clearTimeout(timer));
  }
}
