import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { BackupLocation, Result } from '@rahatback/contracts';
import { failed, ok } from '@rahatback/contracts';

const PART_SIZE_BYTES = 64 * 1024;
const EXPIRES_MS = 60_000;

type Message = Readonly<Record<string, unknown>>;

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('base64');

/** Storage behind the scripted server: parts and objects in memory, reached at signed-looking URLs of its own HTTP server. */
export class ScriptedStorage {
  /** `<backup>/<fence>/<object>` → bytes. */
  readonly objects = new Map<string, Buffer>();
  readonly #parts = new Map<string, Buffer>();
  readonly #tickets = new Map<string, string>();
  url = '';
  /** Where the objects of a command go. */
  readonly locations = new Map<string, BackupLocation>();
  /** Parts are answered only when this resolves. */
  gate: Promise<unknown> = Promise.resolve();
  aborted = 0;

  answer(event: string, message: Message): Result<unknown> | undefined {
    const object = String(message.object);
    switch (event) {
      case 'upload:begin':
        return ok({ partSizeBytes: PART_SIZE_BYTES, maxParts: 8_192 });
      case 'upload:part':
        return ok(this.#ticket('PUT', `${this.#key(message)}#${String(message.partNumber)}`));
      case 'upload:complete':
        return this.#complete(this.#key(message), message);
      case 'upload:publish': {
        const bytes = Buffer.from(String(message.content), 'base64');
        this.objects.set(this.#key(message), bytes);
        return ok({ sha256: sha256(bytes) });
      }
      case 'upload:abort':
        this.aborted += 1;
        return ok({ confirmed: true });
      case 'download:open':
        return this.#open(message.location as BackupLocation, object);
      default:
        return undefined;
    }
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = this.#tickets.get(request.url?.split('/').at(-1) ?? '');
    if (key === undefined) {
      response.writeHead(403).end();
    } else if (request.method === 'PUT') {
      await this.gate;
      const bytes = await buffer(request);
      this.#parts.set(key, bytes);
      response.writeHead(200, { etag: `"${createHash('md5').update(bytes).digest('hex')}"` }).end();
    } else {
      this.#send(this.objects.get(key) ?? Buffer.alloc(0), request.headers.range, response);
    }
  }

  #send(bytes: Buffer, range: string | undefined, response: ServerResponse): void {
    const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
    if (start === undefined) {
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
      return;
    }
    const last = end ? Math.min(Number(end), bytes.length - 1) : bytes.length - 1;
    const piece = bytes.subarray(Number(start), last + 1);
    response
      .writeHead(206, { 'content-length': piece.length, 'content-range': `bytes ${start}-${last}/${bytes.length}` })
      .end(piece);
  }

  #key(message: Message): string {
    const location = this.locations.get(String(message.commandId));
    if (location === undefined) throw new Error('The test gave this command no location.');
    return `${location.backupId}/${location.fence}/${String(message.object)}`;
  }

  #ticket(method: 'PUT' | 'GET', key: string) {
    const ticket = randomUUID();
    this.#tickets.set(ticket, key);
    return {
      method,
      url: `${this.url}/v1/parts/${ticket}`,
      headers: {},
      expiresAt: new Date(Date.now() + EXPIRES_MS).toISOString(),
    };
  }

  #complete(key: string, message: Message): Result<unknown> {
    const claimed = message.parts as readonly { partNumber: number; sha256: string; md5: string }[];
    const parts = claimed.map(({ partNumber }) => this.#parts.get(`${key}#${partNumber}`) ?? Buffer.alloc(0));
    const whole = Buffer.concat(parts);
    const isRight =
      sha256(whole) === message.sha256 &&
      whole.length === message.sizeBytes &&
      claimed.every((part, index) => {
        const bytes = parts[index] ?? Buffer.alloc(0);
        return sha256(bytes) === part.sha256 && md5(bytes) === part.md5;
      });
    if (!isRight) return failed({ code: 'PART_INVALID', message: `${key} is not what was announced.` });
    this.objects.set(key, whole);
    return ok({ confirmed: true, stamp: md5(whole) });
  }

  #open(location: BackupLocation, object: string): Result<unknown> {
    const key = `${location.backupId}/${location.fence}/${object}`;
    const bytes = this.objects.get(key);
    if (bytes === undefined) return failed({ code: 'OBJECT_MISSING', message: `There is no ${object}.` });
    return ok({ sizeBytes: bytes.length, stamp: md5(bytes), request: this.#ticket('GET', key) });
  }
}
