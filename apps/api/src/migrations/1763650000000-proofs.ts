import type { MigrationInterface, QueryRunner } from 'typeorm';
import { guardTenantTables, refuseDowngrade } from './tenant-tables.js';

/** Tenant tables that this migration adds; they get the same policy as those of the first one. */
export const PROOF_TENANT_TABLES = ['verifications'] as const;

/** Verification, swap with undo, agent-local storage and the catalogue. Only additions: code of the version before runs beside it. */
const CHANGES = `
CREATE TABLE verifications (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  backup_id uuid NOT NULL REFERENCES backups,
  database_id uuid NOT NULL REFERENCES databases,
  agent_id uuid NOT NULL REFERENCES agents,
  command_id uuid NOT NULL UNIQUE,
  fence bigint NOT NULL,
  level text NOT NULL CHECK (level IN ('BASIC','DATABASE','FULL')),
  status text NOT NULL CHECK (status IN ('PENDING','PASSED','FAILED','SKIPPED')),
  trigger text NOT NULL CHECK (trigger IN ('manual','after_backup','schedule')),
  reason text,
  progress jsonb,
  checks jsonb NOT NULL DEFAULT '[]',
  tables jsonb NOT NULL DEFAULT '[]',
  tables_total integer,
  tables_equal integer,
  restore_ms bigint,
  steps jsonb NOT NULL DEFAULT '[]',
  log_tail text,
  error_code text,
  error_message text,
  requested_by uuid,
  started_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  deadline_at timestamptz
);
CREATE UNIQUE INDEX verifications_one_pending ON verifications (backup_id) WHERE status = 'PENDING';
CREATE INDEX verifications_backup ON verifications (backup_id, started_at DESC);
CREATE INDEX verifications_history ON verifications (workspace_id, started_at DESC, id DESC);
CREATE INDEX verifications_pending ON verifications (deadline_at) WHERE status = 'PENDING';
CREATE UNIQUE INDEX verifications_one_after_backup ON verifications (backup_id) WHERE trigger = 'after_backup';

ALTER TABLE backups
  ADD COLUMN verification_status text CHECK (verification_status IN ('PASSED','FAILED')),
  ADD COLUMN verification_level text,
  ADD COLUMN verified_at timestamptz,
  ADD COLUMN measured_restore_ms bigint,
  ADD COLUMN verify_after text CHECK (verify_after IN ('BASIC','DATABASE','FULL')),
  ADD COLUMN damage text,
  ADD COLUMN imported_at timestamptz,
  ADD COLUMN origin_workspace_id uuid,
  ADD COLUMN origin_database_id uuid;
CREATE INDEX backups_verify_after ON backups (completed_at) WHERE verify_after IS NOT NULL AND status = 'success';

ALTER TABLE restores
  ADD COLUMN mode text NOT NULL DEFAULT 'beside' CHECK (mode IN ('beside','swap')),
  ADD COLUMN target_database_id uuid REFERENCES databases,
  ADD COLUMN live_database text,
  ADD COLUMN selection jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN parallelism integer NOT NULL DEFAULT 1,
  ADD COLUMN drain_seconds integer NOT NULL DEFAULT 30,
  ADD COLUMN undo_hours integer NOT NULL DEFAULT 24,
  ADD COLUMN swap_state text CHECK (swap_state IN ('swapping','swapped','swap_failed','undoing','undone','undo_failed','discarding','discarded')),
  ADD COLUMN swap_command_id uuid,
  ADD COLUMN retired_database text,
  ADD COLUMN undo_until timestamptz;
CREATE INDEX restores_undo ON restores (undo_until) WHERE swap_state IN ('swapped','undone');
CREATE INDEX restores_swapping ON restores (swap_command_id) WHERE swap_state IN ('swapping','undoing','discarding');

ALTER TABLE jobs ADD COLUMN storage_path text;
ALTER TABLE backup_attempts ADD COLUMN accepted jsonb;
CREATE INDEX commands_agent_files ON commands (resource, sequence DESC) WHERE type IN ('backup:delete','backup:export');
`;

export class Proofs1763650000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CHANGES);
    await guardTenantTables(runner, PROOF_TENANT_TABLES);
  }

  down(): Promise<void> {
    return refuseDowngrade();
  }
}
