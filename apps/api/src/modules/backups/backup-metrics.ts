import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { BackupStatus } from '@rahatback/contracts';
import { Counter, register } from 'prom-client';
import { Database } from '../../platform/database/database.js';
import { Metrics } from '../../platform/health/metrics.service.js';
import { countRunning } from './backup.repository.js';

const NAME = 'rahatback_backups_ended_total';

/** One counter per process, also when a test starts several applications in one. */
const ended = (): Counter<'status'> =>
  (register.getSingleMetric(NAME) as Counter<'status'> | undefined) ??
  new Counter({ name: NAME, help: 'Backups that have ended, by how they ended.', labelNames: ['status'] });

export const countBackupEnd = (status: BackupStatus): void => ended().inc({ status });

/** What goes on at this moment, over all workspaces: a number, no names. */
@Injectable()
export class BackupGauges implements OnModuleInit {
  constructor(
    private readonly metrics: Metrics,
    private readonly database: Database,
  ) {}

  onModuleInit(): void {
    this.metrics.gauge('rahatback_backups_running', 'Backups that are running now.', () =>
      this.database.asSystem('running backups gauge', countRunning),
    );
  }
}
