import { createServer, connect, type Server, type Socket } from 'node:net';
import { freePort } from '@rahatback/testing';

/** Takes the masks off the WebSocket frames of a client, so that the text inside can be searched (RFC 6455, 5.2). */
export function unmasked(bytes: Buffer): Buffer {
  const payloads: Buffer[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const masked = ((bytes[at + 1] ?? 0) & 0x80) !== 0;
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    const start = at + 2 + extra + (masked ? 4 : 0);
    if (start > bytes.length) break;
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
    const mask = bytes.subarray(start - 4, start);
    const payload = Buffer.from(bytes.subarray(start, start + length));
    if (masked)
      for (let index = 0; index < payload.length; index += 1) payload[index] = (payload[index] ?? 0) ^ (mask[index % 4] ?? 0);
    payloads.push(payload);
    at = start + length;
  }
  return Buffer.concat(payloads);
}

function readable(bytes: Buffer): Buffer {
  const headEnd = bytes.indexOf('\r\n\r\n');
  const upgrades = headEnd > 0 && /upgrade: websocket/i.test(bytes.subarray(0, headEnd).toString('latin1'));
  return upgrades ? Buffer.concat([bytes.subarray(0, headEnd), unmasked(bytes.subarray(headEnd + 4))]) : bytes;
}

export interface FrameRecorder {
  readonly url: string;
  /** All that passed so far, both ways, frames unmasked, one buffer a connection and direction. */
  recorded(): Buffer[];
  stop(): Promise<void>;
}

/** A relay in front of one API process that keeps every byte of the agent's connection. */
export async function startFrameRecorder(targetPort: number): Promise<FrameRecorder> {
  const streams: Buffer[][] = [];
  const sockets = new Set<Socket>();
  const keep = (from: Socket, to: Socket): void => {
    const pieces: Buffer[] = [];
    streams.push(pieces);
    sockets.add(from);
    from.on('data', (piece: Buffer) => {
      pieces.push(piece);
      to.write(piece);
    });
    from.on('close', () => to.destroy());
    from.on('error', () => to.destroy());
  };
  const server: Server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port: targetPort });
    keep(client, upstream);
    keep(upstream, client);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    recorded: () => streams.map((pieces) => readable(Buffer.concat(pieces))),
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
