import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { uniqueHits, type CanaryHit, type CanarySet } from './canary.js';

export interface RedisWatch {
  /** Ends the capture and returns what passed by. May run twice. */
  stop(): CanaryHit[];
  /** How many commands were seen. */
  commands(): number;
}

/** `redis command set k`: the command and its first argument, which is a key or a channel. */
function placeOf(line: string): string {
  const [command = '?', first = ''] = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].slice(0, 2).map(([, word]) => word);
  return `redis command ${command} ${first}`.trimEnd();
}

/** Logs in and asks for MONITOR; resolves when Redis shows commands. The driver's own monitor fails when commands come at once. */
async function openMonitor(url: string): Promise<Socket> {
  const { hostname, port, password } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.setEncoding('latin1');
  await once(socket, 'connect');
  socket.write(`${password === '' ? '' : `AUTH ${decodeURIComponent(password)}\r\n`}MONITOR\r\n`);
  const [answer] = (await once(socket, 'data')) as [string];
  if (!answer.startsWith('+OK')) throw new Error(`Redis does not let this client monitor it: ${answer}`);
  return socket;
}

/**
 * Looks at every command that Redis receives, of all clients and all databases (MONITOR), until it is stopped or Redis ends.
 * @param url redis:// with the password
 */
export async function watchRedis(canaries: CanarySet, url: string): Promise<RedisWatch> {
  const socket = await openMonitor(url);
  let hits: CanaryHit[] = [];
  let commands = 0;
  let rest = '';
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\r\n');
    rest = lines.pop() ?? '';
    commands += lines.filter((line) => line.includes('"')).length;
    // One search for all lines: a hit is rare, and only then it matters in which line it was.
    if (canaries.find(lines.join('\n'), '').length === 0) return;
    hits = uniqueHits([...hits, ...lines.flatMap((line) => canaries.find(line, placeOf(line)))]);
  });
  socket.on('error', () => undefined);
  return {
    commands: () => commands,
    stop() {
      socket.destroy();
      return hits;
    },
  };
}

/** Everything that a key holds, whatever its type. */
async function contentOf(redis: Redis, key: Buffer): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case 'string':
      return redis.getBuffer(key);
    case 'hash':
      return redis.hgetallBuffer(key);
    case 'list':
      return redis.lrangeBuffer(key, 0, -1);
    case 'set':
      return redis.smembersBuffer(key);
    case 'zset':
      return redis.zrangeBuffer(key, 0, -1);
    case 'stream':
      return redis.xrangeBuffer(key, '-', '+');
    default:
      // 'none': it expired since it was listed
      return undefined;
  }
}

function flatten(content: unknown): Buffer {
  if (Buffer.isBuffer(content)) return content;
  if (Array.isArray(content)) return Buffer.concat(content.map(flatten));
  if (typeof content !== 'object' || content === null) return Buffer.from(typeof content === 'string' ? content : '');
  return Buffer.concat(Object.entries(content).flatMap(([name, value]) => [Buffer.from(name), flatten(value)]));
}

async function scanDatabase(canaries: CanarySet, redis: Redis, onKey: () => void): Promise<CanaryHit[]> {
  const hits: CanaryHit[] = [];
  for await (const keys of redis.scanBufferStream({ count: 500 }) as AsyncIterable<Buffer[]>) {
    for (const key of keys) {
      onKey();
      const place = `redis key ${key.toString('utf8')}`;
      const found = canaries.find(key, 'a redis key name');
      hits.push(
        ...found,
        ...canaries.find(flatten(await contentOf(redis, key)), found.length > 0 ? 'a redis key whose name is secret too' : place),
      );
    }
  }
  return hits;
}

/** Looks for canaries in every key and value that Redis holds now, in all its databases. */
export async function scanRedis(canaries: CanarySet, url: string, onKey: () => void = () => undefined): Promise<CanaryHit[]> {
  const redis = new Redis(url);
  try {
    const [, databases] = (await redis.config('GET', 'databases')) as [string, string];
    const hits: CanaryHit[] = [];
    for (let index = 0; index < Number(databases); index += 1) {
      await redis.select(index);
      hits.push(...(await scanDatabase(canaries, redis, onKey)));
    }
    return uniqueHits(hits);
  } finally {
    redis.disconnect();
  }
}
