import type { MigrationInterface, QueryRunner } from 'typeorm';
import { guardTenantTables, refuseDowngrade } from './tenant-tables.js';

/** Tenant tables that this migration adds; they get the same policy as those of the first one. */
export const ACCOUNT_TENANT_TABLES = ['totp_factors', 'recovery_codes'] as const;

/** Second factors, known networks and devices. Only additions: code of the version before runs beside it. */
const CHANGES = `
ALTER TABLE refresh_tokens ADD COLUMN network text;
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id, network);
ALTER TABLE users ADD COLUMN credentials_changed_at timestamptz;
ALTER TABLE workspaces ADD COLUMN require_totp boolean NOT NULL DEFAULT false;

CREATE TABLE totp_factors (
  user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  secret text NOT NULL,
  confirmed_at timestamptz,
  last_step bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE recovery_codes (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES totp_factors ON DELETE CASCADE,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  selector text NOT NULL,
  code_hash text NOT NULL,
  used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (user_id, selector)
);
`;

export class Accounts1763680000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CHANGES);
    await guardTenantTables(runner, ACCOUNT_TENANT_TABLES);
  }

  down(): Promise<void> {
    return refuseDowngrade();
  }
}
