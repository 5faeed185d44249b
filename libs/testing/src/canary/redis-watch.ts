import { Redis } from 'ioredis';
import { uniqueHits, type CanaryHit, type CanarySet } from './canary.js';

export interface RedisWatch {
  /** Ends the capture and returns what passed by. May run twice. */
  stop(): CanaryHit[];
  /** How many commands were seen. */
  commands(): number;
}

/**
 * Looks at every command that Redis receives, of all clients and all databases (MONITOR), until it is stopped.
 * @param url redis:// with the password
 */
export async function watchRedis(canaries: CanarySet, url: string): Promise<RedisWatch> {
  const client = new Redis(url, { retryStrategy: () => null });
  const monitor = await client.monitor();
  let hits: CanaryHit[] = [];
  let commands = 0;
  monitor.on('monitor', (_time: string, args: string[]) => {
    commands += 1;
    const found = canaries.find(args.join('\0'), `redis command ${args[0] ?? '?'} ${args[1] ?? ''}`);
    if (found.length > 0) hits = uniqueHits([...hits, ...found]);
  });
  monitor.on('error', () => undefined);
  return {
    commands: () => commands,
    stop() {
      monitor.disconnect();
      client.disconnect();
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
