import { createServer, connect, type Socket } from 'node:net';
import { CanaryRun, freePort } from '@rahatback/testing';
import { FrameParser } from './frame-parser.js';

export type FrameSide = 'client' | 'server';
export type FrameListener = (payload: Buffer, from: FrameSide) => void;

export interface FrameRelay {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

const HEAD_END = '\r\n\r\n';

/** Follows one connection: HTTP passes unseen; once it is a WebSocket, each frame of both sides is shown. */
class ConnectionReader {
  private head: Buffer = Buffer.alloc(0);
  private isWebSocket: boolean | undefined;
  private readonly parsers = { client: new FrameParser(), server: new FrameParser() };
  private serverHead: Buffer | null = Buffer.alloc(0);

  constructor(private readonly onFrame: FrameListener) {}

  push(bytes: Buffer, from: FrameSide): void {
    const frames = from === 'client' ? this.afterRequest(bytes) : this.afterAnswer(bytes);
    if (frames === null) return;
    for (const payload of this.parsers[from].push(frames)) this.onFrame(payload, from);
  }

  private afterRequest(bytes: Buffer): Buffer | null {
    if (this.isWebSocket === false) return null;
    if (this.isWebSocket) return bytes;
    this.head = Buffer.concat([this.head, bytes]);
    const end = this.head.indexOf(HEAD_END);
    if (end < 0) return null;
    this.isWebSocket = /^upgrade: websocket/im.test(this.head.subarray(0, end).toString('latin1'));
    return this.isWebSocket ? this.head.subarray(end + HEAD_END.length) : null;
  }

  private afterAnswer(bytes: Buffer): Buffer | null {
    if (!this.isWebSocket) return null;
    if (this.serverHead === null) return bytes;
    this.serverHead = Buffer.concat([this.serverHead, bytes]);
    const end = this.serverHead.indexOf(HEAD_END);
    if (end < 0) return null;
    const rest = this.serverHead.subarray(end + HEAD_END.length);
    this.serverHead = null;
    return rest;
  }
}

/** A relay in front of one API process, through which its people and agents talk to it. */
export async function startFrameRelay(targetPort: number, onFrame: FrameListener): Promise<FrameRelay> {
  const sockets = new Set<Socket>();
  const join = (from: Socket, to: Socket, see: (bytes: Buffer) => void): void => {
    sockets.add(from);
    from.on('data', see);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port: targetPort });
    const reader = new ConnectionReader(onFrame);
    join(client, upstream, (bytes) => reader.push(bytes, 'client'));
    join(upstream, client, (bytes) => reader.push(bytes, 'server'));
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Engine.IO message (4), Socket.IO CONNECT (0): where a person presents the token. */
export const presentsToken = (payload: Buffer, from: FrameSide): boolean =>
  from === 'client' && payload.subarray(0, 2).toString() === '40';

/** A relay whose frames the test run's watch looks at, and `onFrame`; undefined where neither wants them. */
export async function startWatchedRelay(targetPort: number, onFrame?: FrameListener): Promise<FrameRelay | undefined> {
  const run = CanaryRun.current();
  if (!run && !onFrame) return undefined;
  const relay = await startFrameRelay(targetPort, (payload, from) => {
    onFrame?.(payload, from);
    run?.look('frames', payload, `a frame of the ${from}`, presentsToken(payload, from) ? run.byMark : run.inText);
  });
  return {
    ...relay,
    async stop() {
      await relay.stop();
      run?.flush();
    },
  };
}
