import type { MigrationInterface, QueryRunner } from 'typeorm';
import { refuseDowngrade } from './tenant-tables.js';

/** Stored objects get the storage's stamp, by which one that was written anew is seen (docs/adr/0009). Null for those that were stored before. */
export class ObjectStamps1763700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE backup_objects ADD COLUMN stamp text');
  }

  down(): Promise<void> {
    return refuseDowngrade();
  }
}
