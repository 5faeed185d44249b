import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { Injectable, Logger } from '@nestjs/common';
import { WORKER_OPTIONS } from './queues.js';

const LOOK_EVERY_MS = 1_000;

/**
 * Says in the log when this process stood still, paused or blocked, for longer than a lock of the queues lives: another process has then taken its
 * jobs over, and whatever it still writes for them is refused by state and fence.
 */
@Injectable()
export class StallWatch implements OnModuleInit, OnApplicationShutdown {
  private readonly log = new Logger(StallWatch.name);
  private timer: NodeJS.Timeout | undefined;

  onModuleInit(): void {
    let lastAt = performance.now();
    this.timer = setInterval(() => {
      const now = performance.now();
      const stillMs = Math.round(now - lastAt - LOOK_EVERY_MS);
      lastAt = now;
      if (stillMs > (WORKER_OPTIONS.lockDuration ?? 0))
        this.log.error(
          { event: 'process.stalled', stillMs },
          'This process stood still for longer than its locks live; others have taken its jobs over. Look for a paused machine or an overloaded CPU.',
        );
    }, LOOK_EVERY_MS);
    this.timer.unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }
}
