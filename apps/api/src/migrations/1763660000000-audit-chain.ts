import type { MigrationInterface, QueryRunner } from 'typeorm';
import { guardTenantTables, refuseDowngrade } from './tenant-tables.js';

/** Tenant tables that this migration adds; they get the same policy as those of the first one. */
export const AUDIT_TENANT_TABLES = ['audit_checkpoints'] as const;

/**
 * The audit log becomes a chain: a row is written without a place and gets its place once (docs/adr/0008). Only additions: code of the version
 * before runs beside it. The trigger holds for every role; who may bring it down can also rewrite rows, and that is what the hashes show.
 */
const CHANGES = `
ALTER TABLE audit_events
  ADD COLUMN sequence bigint,
  ADD COLUMN previous_hash text,
  ADD COLUMN hash text,
  ADD CONSTRAINT audit_events_chained CHECK (num_nulls(sequence, previous_hash, hash) IN (0, 3));
CREATE UNIQUE INDEX audit_chain ON audit_events (workspace_id, sequence) WHERE sequence IS NOT NULL;
CREATE INDEX audit_unchained ON audit_events (workspace_id, at, id) WHERE sequence IS NULL;

CREATE FUNCTION audit_events_only_chained() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.sequence IS NOT NULL
     OR to_jsonb(OLD) - ARRAY['sequence', 'previous_hash', 'hash'] <> to_jsonb(NEW) - ARRAY['sequence', 'previous_hash', 'hash'] THEN
    RAISE EXCEPTION 'permission denied: a row of the audit log is given its place in the chain once and is never changed'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_events_only_chained BEFORE UPDATE ON audit_events
  FOR EACH ROW EXECUTE FUNCTION audit_events_only_chained();

CREATE TABLE audit_checkpoints (
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  sequence bigint NOT NULL,
  hash text NOT NULL,
  at timestamptz NOT NULL,
  key_id text NOT NULL,
  signature text NOT NULL,
  PRIMARY KEY (workspace_id, sequence)
);
`;

export class AuditChain1763660000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CHANGES);
    await guardTenantTables(runner, AUDIT_TENANT_TABLES);
  }

  down(): Promise<void> {
    return refuseDowngrade();
  }
}
