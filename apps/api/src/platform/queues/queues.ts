import type { WorkerOptions } from 'bullmq';

/** One processor class per queue: BullMQ hands a job to any worker of its queue, whatever the job's name is. */
export const QUEUES = {
  commands: 'commands',
  backups: 'backups',
  restores: 'restores',
  verifications: 'verifications',
  catalogue: 'catalogue',
  audit: 'audit',
} as const;
export type QueueName = (typeof QUEUES)[keyof typeof QUEUES];

/** A crash must not fail a job for ever: PostgreSQL decides what is still to be done, so stalled jobs are simply run again. */
export const WORKER_OPTIONS: Partial<Omit<WorkerOptions, 'connection'>> = {
  concurrency: 8,
  maxStalledCount: 100,
  // Our jobs are short. A killed worker holds its sweeps back until its lock has ended and the others have looked: 20 s at the most.
  stalledInterval: 5_000,
  lockDuration: 15_000,
};
