import { Agent, request } from 'node:http';
import type { ApiRows } from './api-rows.js';

export interface ApiRequest {
  /** Kind, for the table. */
  readonly name: string;
  readonly method: 'GET' | 'PATCH';
  readonly path: string;
  readonly body?: string;
}

/** Numbers from 0 to 1, the same ones in each run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Draw {
  below(limit: number): number;
  of(ids: readonly string[]): string;
}

type Kind = readonly [weight: number, name: string, make: (draw: Draw, rows: ApiRows) => string | Omit<ApiRequest, 'name'>];

const HISTORY = '/v1/backups/history';
const DAY_MS = 86_400_000;
const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();

/** Weights are hundredths of all requests. */
export const KINDS: readonly Kind[] = [
  [26, 'history, first page', () => HISTORY],
  [6, 'history, page 2 to 50', (draw) => `${HISTORY}?page=${2 + draw.below(49)}`],
  [2, 'history, page up to 5000', (draw) => `${HISTORY}?page=${51 + draw.below(4950)}`],
  [8, 'history of a database', (draw, { databases }) => `${HISTORY}?databaseId=${draw.of(databases)}&page=${1 + draw.below(5)}`],
  [6, 'history of a job', (draw, { jobs }) => `${HISTORY}?jobId=${draw.of(jobs)}&limit=50`],
  [6, 'history, failed', (draw) => `${HISTORY}?status=failed&page=${1 + draw.below(5)}`],
  [2, 'history, running (none)', () => `${HISTORY}?status=running`],
  [3, 'history, verification failed', () => `${HISTORY}?verificationStatus=FAILED`],
  [2, 'history, full ones', () => `${HISTORY}?backupType=full&limit=100`],
  [3, 'history of a database, failed', (draw, { databases }) => `${HISTORY}?databaseId=${draw.of(databases)}&status=failed`],
  [
    4,
    'history between two days',
    (draw) => {
      const days = 1 + draw.below(300);
      return `${HISTORY}?from=${daysAgo(days)}&to=${daysAgo(days - 1)}`;
    },
  ],
  [10, 'one backup', (draw, { backups }) => `${HISTORY}/${draw.of(backups)}`],
  [5, 'jobs', () => '/v1/backups/jobs'],
  [2, 'one job', (draw, { jobs }) => `/v1/backups/jobs/${draw.of(jobs)}`],
  [4, 'databases', () => '/v1/databases'],
  [3, 'agents', () => '/v1/agents'],
  [2, 'storages', () => '/v1/storages'],
  [2, 'restores', () => '/v1/restores'],
  [1, 'audit log', () => '/v1/audit'],
  [1, 'who am I', () => '/v1/auth/me'],
  [
    2,
    'a job is renamed',
    (draw, { jobs }) => ({
      method: 'PATCH',
      path: `/v1/backups/jobs/${draw.of(jobs)}`,
      body: JSON.stringify({ name: `Renamed ${draw.below(1_000_000)}` }),
    }),
  ],
];

/** @returns the next request of the mix at each call, the same ones in each run */
export function requestMix(rows: ApiRows, seed: number): () => ApiRequest {
  const random = seeded(seed);
  const draw: Draw = {
    below: (limit) => Math.floor(random() * limit),
    of: (ids) => ids[Math.floor(random() * ids.length)] ?? '',
  };
  const all = KINDS.flatMap((kind) => Array.from({ length: kind[0] }, () => kind));
  return () => {
    const [, name, make] = all[draw.below(all.length)] as Kind;
    const made = make(draw, rows);
    return typeof made === 'string' ? { name, method: 'GET', path: made } : { name, ...made };
  };
}

/** The server closed a kept connection at the moment of its next use; every HTTP client sends such a request again (RFC 9112, 9.3.1). */
class IdleClosed extends Error {}

/** Sends over kept connections and reads the whole answer; true for 2xx. */
export class ApiCaller {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 128 });
  /** The first words of what went wrong, by kind of request. */
  readonly failures = new Map<string, string>();

  constructor(
    private readonly baseUrl: string,
    private readonly token: string,
  ) {}

  async send(asked: ApiRequest): Promise<boolean> {
    try {
      const { status, text } = await this.exchange(asked).catch((error: unknown) => {
        if (error instanceof IdleClosed) return this.exchange(asked);
        throw error;
      });
      if (status >= 200 && status < 300) return true;
      this.failures.set(asked.name, `${status} ${text.slice(0, 300)}`);
    } catch (error) {
      this.failures.set(asked.name, String(error));
    }
    return false;
  }

  close(): void {
    this.agent.destroy();
  }

  private exchange({ method, path, body }: ApiRequest): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
      };
      const sent = request(`${this.baseUrl}${path}`, { method, headers, agent: this.agent, timeout: 30_000 }, (answer) => {
        const pieces: Buffer[] = [];
        answer.on('data', (piece: Buffer) => pieces.push(piece));
        answer.once('error', reject);
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(pieces).toString() }));
      });
      sent.once('timeout', () => sent.destroy(new Error('no answer within 30 s')));
      sent.once('error', (error) =>
        reject(sent.reusedSocket && 'code' in error && error.code === 'ECONNRESET' ? new IdleClosed() : error),
      );
      sent.end(body);
    });
  }
}
