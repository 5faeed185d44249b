import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What a link does to its connections. Fields may be joined; an empty object is a good link. */
export interface LinkFault {
  /** Each piece of bytes is held back so long, in order. A piece is at most 64 KiB, so this bounds the rate too. */
  readonly latencyMs?: number;
  /** Of each direction of each connection. Small numbers make a slow-loris: pieces of 1 byte. */
  readonly bytesPerSecond?: number;
  /** Nothing passes, also no end and no reset: both sides believe that the connection stands. New connections are taken and stay silent. */
  readonly isBlackHole?: boolean;
  /** New connections are reset. */
  readonly refuses?: boolean;
  /** A connection is reset once it has carried so many bytes in both directions together, those before the fault included. */
  readonly cutAfterBytes?: number;
  /** One bit is flipped in the byte at this offset (from 0) of what each connection carries in the chosen direction. */
  readonly corruptByteAt?: number;
  /** Where latency, rate and corruption apply. `up` is from the client to the server. Default both; corruption: up. */
  readonly direction?: LinkDirection;
}

export type LinkDirection = 'up' | 'down' | 'both';

export interface TcpFaultProxy {
  /** Clients dial 127.0.0.1 at this port instead of the server's own. */
  readonly port: number;
  /** Connections that stand now, as the client sees them. */
  openConnections(): number;
  /** How many connections came in all, the refused ones included. */
  accepted(): number;
  /** Bytes that were passed on, both ways. */
  carriedBytes(): number;
  /** Replaces what the link does, for standing connections too. */
  set(fault: LinkFault): void;
  /** A good link again; what a black hole held back goes on, as after a real partition. */
  heal(): void;
  /** RST on every standing connection, both ways. */
  reset(): void;
  stop(): Promise<void>;
}

const PIECE_BYTES = 64 * 1024;
const PIECES_PER_SECOND = 20;

class Link {
  fault: LinkFault = {};
  readonly sockets = new Set<Socket>();
  accepted = 0;
  carriedBytes = 0;
  private changed: (() => void)[] = [];

  set(fault: LinkFault): void {
    this.fault = fault;
    const waiting = this.changed;
    this.changed = [];
    for (const wake of waiting) wake();
  }

  /** Resolves when no black hole is open. */
  async passable(): Promise<void> {
    while (this.fault.isBlackHole) await new Promise<void>((resolve) => this.changed.push(resolve));
  }
}

interface Pair {
  readonly client: Socket;
  readonly upstream: Socket;
  carried: number;
}

const reset = (socket: Socket): void => {
  if (!socket.destroyed) socket.resetAndDestroy();
};

const applies = (direction: LinkDirection | undefined, way: 'up' | 'down', fallback: LinkDirection): boolean =>
  [way, 'both'].includes(direction ?? fallback);

function corrupted(piece: Buffer, { corruptByteAt, direction }: LinkFault, at: { offset: number; way: 'up' | 'down' }): Buffer {
  if (corruptByteAt === undefined || !applies(direction, at.way, 'up')) return piece;
  const index = corruptByteAt - at.offset;
  if (index < 0 || index >= piece.length) return piece;
  const copy = Buffer.from(piece);
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}

/** How large pieces may be now: a slow link passes few bytes often, not many seldom. */
function pieceBytes({ bytesPerSecond, direction }: LinkFault, way: 'up' | 'down'): number {
  if (bytesPerSecond === undefined || !applies(direction, way, 'both')) return PIECE_BYTES;
  return Math.max(1, Math.min(PIECE_BYTES, Math.floor(bytesPerSecond / PIECES_PER_SECOND)));
}

async function pace({ latencyMs, bytesPerSecond, direction }: LinkFault, way: 'up' | 'down', bytes: number): Promise<void> {
  if (!applies(direction, way, 'both')) return;
  const waitMs = (latencyMs ?? 0) + (bytesPerSecond === undefined ? 0 : (bytes / bytesPerSecond) * 1_000);
  if (waitMs > 0) await delay(waitMs);
}

async function write(to: Socket, piece: Buffer): Promise<void> {
  if (to.destroyed || to.write(piece)) return;
  await Promise.race([once(to, 'drain'), once(to, 'close')]).catch(() => undefined);
}

/** Carries one direction of one connection to its end. */
async function carry(link: Link, pair: Pair, way: 'up' | 'down'): Promise<void> {
  const [from, to] = way === 'up' ? [pair.client, pair.upstream] : [pair.upstream, pair.client];
  let offset = 0;
  // Leaving the loop must not close the socket in good order: it is reset then.
  for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    for (let start = 0; start < chunk.length;) {
      await link.passable();
      const piece = chunk.subarray(start, start + pieceBytes(link.fault, way));
      await pace(link.fault, way, piece.length);
      await link.passable();
      await write(to, corrupted(piece, link.fault, { offset, way }));
      start += piece.length;
      offset += piece.length;
      pair.carried += piece.length;
      link.carriedBytes += piece.length;
      if (link.fault.cutAfterBytes !== undefined && pair.carried >= link.fault.cutAfterBytes) throw new Error('cut');
    }
  }
  await link.passable();
  to.end();
}

/** A direction that breaks ends the other one too, but through a black hole nobody hears of it. */
async function carryBoth(link: Link, pair: Pair): Promise<void> {
  const sockets = [pair.client, pair.upstream];
  for (const socket of sockets) {
    link.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => link.sockets.delete(socket));
  }
  try {
    await Promise.all([carry(link, pair, 'up'), carry(link, pair, 'down')]);
  } catch {
    await link.passable();
    for (const socket of sockets) reset(socket);
  }
}

async function receive(link: Link, client: Socket, targetPort: () => number): Promise<void> {
  link.accepted += 1;
  client.on('error', () => undefined);
  if (link.fault.refuses) return reset(client);
  link.sockets.add(client);
  client.once('close', () => link.sockets.delete(client));
  await link.passable();
  if (client.destroyed) return;
  const upstream = connect({ host: '127.0.0.1', port: targetPort(), allowHalfOpen: true });
  try {
    await once(upstream, 'connect');
  } catch {
    return reset(client);
  }
  await carryBoth(link, { client, upstream, carried: 0 });
}

/**
 * A link of its own between clients and a server on 127.0.0.1, which can be made bad and good again while connections stand on it. Knows nothing
 * of what it carries. The server may be away: then clients are reset.
 * @param target the server's port, or a function that knows it when the first client comes
 */
export async function startTcpFaultProxy(target: number | (() => number)): Promise<TcpFaultProxy> {
  const targetPort = typeof target === 'number' ? () => target : target;
  const link = new Link();
  const clients = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    clients.add(client);
    client.once('close', () => clients.delete(client));
    receive(link, client, targetPort).catch(() => reset(client));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const resetAll = (): void => {
    for (const socket of [...link.sockets, ...clients]) reset(socket);
  };
  return {
    port: (server.address() as AddressInfo).port,
    openConnections: () => clients.size,
    accepted: () => link.accepted,
    carriedBytes: () => link.carriedBytes,
    set: (fault) => link.set(fault),
    heal: () => link.set({}),
    reset: resetAll,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      link.set({ refuses: true });
      resetAll();
      await closed;
    },
  };
}
