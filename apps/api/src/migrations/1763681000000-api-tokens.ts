import type { MigrationInterface, QueryRunner } from 'typeorm';
import { guardTenantTables, refuseDowngrade } from './tenant-tables.js';

/** Tenant tables that this migration adds; they get the same policy as those of the first one. */
export const API_TOKEN_TENANT_TABLES = ['api_tokens'] as const;

/** A token belongs to its maker's membership: it is gone with it. Only the hash of what was shown is kept. */
const CHANGES = `
CREATE TABLE api_tokens (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  user_id uuid NOT NULL,
  name text NOT NULL,
  prefix text NOT NULL,
  token_sha256 text NOT NULL UNIQUE,
  scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  last_used_at timestamptz,
  last_used_ip text,
  created_at timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (workspace_id, user_id) REFERENCES memberships (workspace_id, user_id) ON DELETE CASCADE
);
CREATE INDEX api_tokens_workspace ON api_tokens (workspace_id, created_at DESC, id);
CREATE INDEX api_tokens_maker ON api_tokens (workspace_id, user_id);
`;

export class ApiTokens1763681000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CHANGES);
    await guardTenantTables(runner, API_TOKEN_TENANT_TABLES);
  }

  down(): Promise<void> {
    return refuseDowngrade();
  }
}
