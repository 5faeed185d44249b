import { InjectQueue } from '@nestjs/bullmq';
import type { OnApplicationShutdown } from '@nestjs/common';
import { Injectable, Logger } from '@nestjs/common';
import { Queue } from 'bullmq';
import type { JobsOptions } from 'bullmq';
import type { QueueName } from './queues.js';
import { QUEUES } from './queues.js';
import { RedisClients } from './redis-clients.js';

export interface AddOptions {
  /** Collapses equal jobs while one waits. Must not hold ':' nor be all digits. */
  readonly jobId?: string;
  readonly delayMs?: number;
}

interface Sweep {
  readonly queue: QueueName;
  readonly name: string;
  readonly everyMs: number;
}

const ADD_LIMIT_MS = 2000;
const RESEED_MS = 30_000;
const KEEP: JobsOptions = { removeOnComplete: true, removeOnFail: { age: 86_400, count: 1000 } };

/**
 * Wakes workers. A job is only a hint: the truth is in PostgreSQL and a sweep finds what was not announced, so adding never throws and never
 * waits for a Redis that is away. Payloads carry ids only.
 */
@Injectable()
export class JobQueue implements OnApplicationShutdown {
  private readonly log = new Logger(JobQueue.name);
  private readonly queues: Readonly<Record<QueueName, Queue>>;
  private readonly sweeps: Sweep[] = [];
  private reseed: NodeJS.Timeout | undefined;

  constructor(
    private readonly redis: RedisClients,
    @InjectQueue(QUEUES.commands) commands: Queue,
    @InjectQueue(QUEUES.backups) backups: Queue,
    @InjectQueue(QUEUES.restores) restores: Queue,
    @InjectQueue(QUEUES.verifications) verifications: Queue,
    @InjectQueue(QUEUES.catalogue) catalogue: Queue,
    @InjectQueue(QUEUES.audit) audit: Queue,
  ) {
    this.queues = { commands, backups, restores, verifications, catalogue, audit };
    for (const queue of Object.values(this.queues))
      queue.on('error', (error) => this.log.warn({ err: error }, 'Redis is away from a queue.'));
  }

  /** Answers whether Redis took the job. */
  async add(
    queue: QueueName,
    name: string,
    payload: Readonly<Record<string, unknown>>,
    options: AddOptions = {},
  ): Promise<boolean> {
    if (!this.redis.isReady()) return false;
    const jobOptions: JobsOptions = { ...KEEP };
    if (options.jobId !== undefined) jobOptions.jobId = options.jobId;
    if (options.delayMs !== undefined) jobOptions.delay = options.delayMs;
    try {
      await within(ADD_LIMIT_MS, this.queues[queue].add(name, payload, jobOptions));
      return true;
    } catch (error) {
      this.log.warn({ err: error, queue, job: name }, 'A wake-up was not queued; the next sweep makes up for it.');
      return false;
    }
  }

  /** Declares a job that runs every `everyMs` for as long as a worker lives. Call it in onModuleInit; only workers start it. */
  sweep(queue: QueueName, name: string, everyMs: number): void {
    this.sweeps.push({ queue, name, everyMs });
  }

  /** Workers only. The schedulers are put back again and again, because a Redis that lost its data has lost them too. */
  async startSweeps(): Promise<void> {
    const seed = (): void => {
      this.seedSweeps().catch((error: unknown) => this.log.error({ err: error }, 'Sweeps could not be scheduled.'));
    };
    await this.seedSweeps();
    this.reseed = setInterval(seed, RESEED_MS);
    this.reseed.unref();
    this.redis.onReady(seed);
  }

  onApplicationShutdown(): void {
    clearInterval(this.reseed);
  }

  private async seedSweeps(): Promise<void> {
    for (const { queue, name, everyMs } of this.sweeps) {
      try {
        await within(
          ADD_LIMIT_MS,
          this.queues[queue].upsertJobScheduler(`sweep-${name}`, { every: everyMs }, { name, data: {}, opts: KEEP }),
        );
      } catch (error) {
        this.log.warn({ err: error, queue, job: name }, 'A sweep could not be scheduled; it is tried again.');
      }
    }
  }
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${limitMs} ms.`)), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
