import type { MigrationInterface, QueryRunner } from 'typeorm';
import { refuseDowngrade, renewTenantPolicies } from './tenant-tables.js';

/** What the rows of one database or job are filtered by besides: read from the same index. */
const BESIDES = 'INCLUDE (status, backup_type, verification_status)';

/** What a page of the history may be filtered by: one value of it, newest first, is one stretch of its index. */
const FILTERS: Readonly<Record<string, string>> = {
  status: '',
  database_id: BESIDES,
  job_id: BESIDES,
  backup_type: '',
  verification_status: '',
};

/** Pages of a history of millions, and their bounded counts, come out of an index alone. Code of the version before runs beside it. */
export class HistoryPages1763670000000 implements MigrationInterface {
  name = 'HistoryPages1763670000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const [filter, besides] of Object.entries(FILTERS)) {
      await runner.query(
        `CREATE INDEX backups_page_${filter} ON backups (workspace_id, ${filter}, started_at DESC, id DESC) ${besides} WHERE deleted_at IS NULL`,
      );
    }
    await renewTenantPolicies(runner);
  }

  down(): Promise<void> {
    return refuseDowngrade();
  }
}
