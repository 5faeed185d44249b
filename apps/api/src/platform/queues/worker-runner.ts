import { BullRegistrar, WorkerHost } from '@nestjs/bullmq';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import { Injectable, Logger } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { JobQueue } from './job-queue.js';

const CLOSE_LIMIT_MS = 15_000;

/** Starts the processors and sweeps of this process; the API never calls it. */
@Injectable()
export class WorkerRunner implements BeforeApplicationShutdown {
  private readonly log = new Logger(WorkerRunner.name);
  private started = false;

  constructor(
    private readonly registrar: BullRegistrar,
    private readonly discovery: DiscoveryService,
    private readonly queue: JobQueue,
  ) {}

  async start(): Promise<void> {
    if (this.started) return;
    this.started = true;
    this.registrar.register();
    for (const { worker } of this.hosts())
      worker.on('error', (error) =>
        this.log.warn({ err: error }, 'A worker could not reach Redis or lost a job there; sweeps make up for it.'),
      );
    await this.queue.startSweeps();
  }

  /** Ends jobs before the database closes. A job that does not end in time is run again by another worker: all of them may run twice. */
  async beforeApplicationShutdown(): Promise<void> {
    if (!this.started) return;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_LIMIT_MS);
    });
    await Promise.race([limit, Promise.allSettled(this.hosts().map((host) => host.worker.close()))]);
    clearTimeout(timer);
  }

  private hosts(): WorkerHost[] {
    return this.discovery
      .getProviders()
      .map((provider) => provider.instance as unknown)
      .filter((instance): instance is WorkerHost => instance instanceof WorkerHost);
  }
}
