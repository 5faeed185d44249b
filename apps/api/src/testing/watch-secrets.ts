import { CanaryRun } from '@rahatback/testing';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { SocketHub } from '../platform/realtime/socket-hub.js';

/** Where a token is issued to its owner, and nowhere else. */
const ISSUES_TOKENS = /^POST \/v1\/(auth\/(register|login|refresh|step-up|totp\/(confirm|recovery-codes))|api-tokens$)/;

/** Engine.IO hands packets over without their type character; a Socket.IO CONNECT (0) of a client presents its token. */
const presentsToken = (data: unknown): boolean => typeof data === 'string' && /^0[{/]/.test(data);

interface Packet {
  readonly type: string;
  readonly data?: unknown;
}

interface PacketSource {
  on(event: string, listener: (packet: Packet) => void): void;
}

function watchAnswer(run: CanaryRun, request: Request, response: Response): void {
  const pieces: Buffer[] = [];
  const keep = (piece: unknown): void => {
    if (typeof piece === 'string' || piece instanceof Uint8Array) pieces.push(Buffer.from(piece as Uint8Array));
  };
  const { write, end } = response;
  response.write = ((...args: Parameters<typeof write>) => {
    keep(args[0]);
    return write.apply(response, args);
  }) as typeof write;
  response.end = ((...args: Parameters<typeof end>) => {
    keep(args[0]);
    return end.apply(response, args);
  }) as typeof end;
  response.on('finish', () => {
    const set = ISSUES_TOKENS.test(`${request.method} ${request.path}`) ? run.byMark : run.inText;
    const headers = JSON.stringify(response.getHeaders());
    run.look('answers', Buffer.concat([Buffer.from(headers), ...pieces]), `the answer of ${request.method} ${request.path}`, set);
  });
}

/** The test run's watch over what an API in this process answers. Before the first route is there. Does nothing outside of a run. */
export function watchAnswers(app: NestExpressApplication): void {
  const run = CanaryRun.current();
  if (!run) return;
  app.use((request: Request, response: Response, next: NextFunction) => {
    watchAnswer(run, request, response);
    next();
  });
}

/** … and over the frames of its sockets. After it listens. */
export function watchFrames(app: NestExpressApplication): void {
  const run = CanaryRun.current();
  if (!run) return;
  const engine = app.get(SocketHub).server.engine as unknown as {
    on(event: 'connection', seen: (socket: PacketSource) => void): void;
  };
  const look = (from: string, packet: Packet): void => {
    const { data } = packet;
    if (typeof data !== 'string' && !Buffer.isBuffer(data)) return;
    run.look('frames', data, `a frame of the ${from}`, from === 'client' && presentsToken(data) ? run.byMark : run.inText);
  };
  engine.on('connection', (socket) => {
    socket.on('packet', (packet) => look('client', packet));
    socket.on('packetCreate', (packet) => look('server', packet));
  });
}
