import type { BackupStatus } from '@rahatback/contracts';
import { Counter, register } from 'prom-client';

const NAME = 'rahatback_backups_ended_total';

/** One counter per process, also when a test starts several applications in one. */
const ended = (): Counter<'status'> =>
  (register.getSingleMetric(NAME) as Counter<'status'> | undefined) ??
  new Counter({ name: NAME, help: 'Backups that have ended, by how they ended.', labelNames: ['status'] });

export const countBackupEnd = (status: BackupStatus): void => ended().inc({ status });
