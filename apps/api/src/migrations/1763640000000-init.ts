import type { MigrationInterface, QueryRunner } from 'typeorm';
import { guardTenantTables, refuseDowngrade } from './tenant-tables.js';

/**
 * The whole first schema. Every table with a `workspace_id` has row-level security, forced, with one policy: the transaction's workspace, or
 * the explicit system path (`app.system`). The application connects as a role that owns nothing.
 */
export const TENANT_TABLES = [
  'memberships',
  'refresh_tokens',
  'agents',
  'enrol_codes',
  'storages',
  'databases',
  'jobs',
  'leases',
  'backups',
  'backup_attempts',
  'backup_objects',
  'commands',
  'restores',
  'audit_events',
] as const;

const TABLES = `
CREATE TABLE server_state (
  key text PRIMARY KEY,
  value text NOT NULL
);
CREATE TABLE workspaces (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  recovery_recipient text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE users (
  id uuid PRIMARY KEY,
  email text NOT NULL,
  name text NOT NULL,
  password_hash text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE TABLE memberships (
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  role text NOT NULL CHECK (role IN ('owner','admin','operator','viewer')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);
CREATE TABLE refresh_tokens (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  family_id uuid NOT NULL,
  secret_sha256 text NOT NULL,
  successor_id uuid,
  used_at timestamptz,
  revoked_at timestamptz,
  expires_at timestamptz NOT NULL,
  family_expires_at timestamptz NOT NULL,
  ip text,
  user_agent text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE TABLE agents (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  device_name text NOT NULL,
  label text,
  platform text NOT NULL,
  version text NOT NULL,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active','quarantined','revoked')),
  sign_public_key text NOT NULL,
  seal_public_key text NOT NULL,
  fingerprint text NOT NULL,
  tools jsonb NOT NULL DEFAULT '[]',
  generation_confirmed bigint NOT NULL DEFAULT 0,
  generation_pending bigint NOT NULL DEFAULT 0,
  session_id text,
  last_seen_at timestamptz,
  command_sequence bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX agents_workspace ON agents (workspace_id, created_at);
CREATE TABLE enrol_codes (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  code_sha256 text NOT NULL UNIQUE,
  label text,
  created_by uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  agent_id uuid,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE storages (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  storage_type text NOT NULL CHECK (storage_type IN ('local','s3','google_drive')),
  name text NOT NULL,
  is_default boolean NOT NULL DEFAULT false,
  settings jsonb NOT NULL,
  credentials text,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX storages_default ON storages (workspace_id, storage_type) WHERE is_default AND deleted_at IS NULL;
CREATE TABLE databases (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  agent_id uuid NOT NULL REFERENCES agents,
  name text NOT NULL,
  type text NOT NULL CHECK (type IN ('postgresql','mysql','mongodb','mssql')),
  host text NOT NULL,
  port integer NOT NULL,
  username text NOT NULL,
  database_name text NOT NULL,
  tls_mode text NOT NULL DEFAULT 'prefer',
  tls_ca text,
  password jsonb,
  password_version integer NOT NULL DEFAULT 0,
  server_version text,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE INDEX databases_workspace ON databases (workspace_id, created_at);
CREATE TABLE jobs (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  database_id uuid NOT NULL REFERENCES databases,
  storage_id uuid NOT NULL REFERENCES storages,
  name text NOT NULL,
  schedule_type text NOT NULL DEFAULT 'manual',
  time_zone text NOT NULL DEFAULT 'Europe/Istanbul',
  backup_type text NOT NULL DEFAULT 'full' CHECK (backup_type IN ('full','incremental','differential')),
  compression text NOT NULL DEFAULT 'zstd' CHECK (compression IN ('none','gzip','zstd')),
  is_encrypted boolean NOT NULL DEFAULT false,
  passphrase jsonb,
  passphrase_version integer NOT NULL DEFAULT 0,
  auto_verify_after_backup boolean NOT NULL DEFAULT false,
  verification_level text,
  retention_days integer,
  time_limit_minutes integer NOT NULL DEFAULT 180,
  max_chain_length integer NOT NULL DEFAULT 30,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE INDEX jobs_workspace ON jobs (workspace_id, created_at);
CREATE TABLE leases (
  resource text PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  fence bigint NOT NULL DEFAULT 0,
  holder text,
  operation_id uuid,
  expires_at timestamptz
);
CREATE INDEX leases_expiry ON leases (expires_at) WHERE holder IS NOT NULL;
CREATE TABLE backups (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  job_id uuid NOT NULL REFERENCES jobs,
  database_id uuid NOT NULL REFERENCES databases,
  storage_id uuid NOT NULL REFERENCES storages,
  agent_id uuid NOT NULL REFERENCES agents,
  status text NOT NULL CHECK (status IN ('running','success','failed','cancelled','skipped')),
  publishing boolean NOT NULL DEFAULT false,
  publishing_at timestamptz,
  backup_type text NOT NULL,
  compression text NOT NULL,
  fence bigint NOT NULL DEFAULT 0,
  attempt integer NOT NULL DEFAULT 1,
  chain_id uuid,
  base_backup_id uuid,
  chain_position integer NOT NULL DEFAULT 1,
  passphrase_version integer NOT NULL DEFAULT 0,
  tool_major integer,
  server_version text,
  size_bytes bigint,
  stored_bytes bigint,
  manifest_sha256 text,
  progress jsonb,
  started_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  deadline_at timestamptz,
  error_code text,
  error_message text,
  requested_by uuid,
  deleting_at timestamptz,
  deleted_at timestamptz
);
CREATE UNIQUE INDEX backups_one_running ON backups (job_id) WHERE status = 'running';
CREATE INDEX backups_history ON backups (workspace_id, started_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX backups_database ON backups (database_id, started_at DESC);
CREATE INDEX backups_chain ON backups (chain_id, chain_position);
CREATE INDEX backups_base ON backups (base_backup_id) WHERE base_backup_id IS NOT NULL;
CREATE INDEX backups_running ON backups (deadline_at) WHERE status = 'running';
CREATE INDEX backups_job ON backups (job_id, started_at DESC);
CREATE INDEX backups_deleting ON backups (deleting_at) WHERE deleting_at IS NOT NULL AND deleted_at IS NULL;
CREATE TABLE backup_attempts (
  backup_id uuid NOT NULL REFERENCES backups ON DELETE CASCADE,
  fence bigint NOT NULL,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  attempt integer NOT NULL,
  command_id uuid NOT NULL UNIQUE,
  state text NOT NULL CHECK (state IN ('running','success','failed','cancelled','fenced')),
  steps jsonb NOT NULL DEFAULT '[]',
  log_tail text,
  error_code text,
  error_message text,
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  cleaned_at timestamptz,
  PRIMARY KEY (backup_id, fence)
);
CREATE INDEX backup_attempts_cleanup ON backup_attempts (ended_at) WHERE cleaned_at IS NULL AND state IN ('failed','cancelled','fenced');
CREATE INDEX backup_attempts_ended ON backup_attempts (ended_at) WHERE state IN ('failed','cancelled','fenced');
CREATE TABLE backup_objects (
  backup_id uuid NOT NULL REFERENCES backups ON DELETE CASCADE,
  fence bigint NOT NULL,
  object text NOT NULL,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  upload_id text,
  state text NOT NULL CHECK (state IN ('open','stored')),
  size_bytes bigint,
  sha256 text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (backup_id, fence, object)
);
CREATE TABLE used_parts (
  ticket text PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
CREATE TABLE commands (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  agent_id uuid NOT NULL REFERENCES agents,
  sequence bigint NOT NULL,
  type text NOT NULL,
  resource text NOT NULL,
  fence bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('queued','sent','accepted','running','succeeded','failed','refused','expired','cancelled')),
  payload jsonb NOT NULL,
  sealed jsonb NOT NULL DEFAULT '[]',
  deliveries integer NOT NULL DEFAULT 0,
  result jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  sent_at timestamptz,
  accepted_at timestamptz,
  ended_at timestamptz,
  expires_at timestamptz NOT NULL,
  UNIQUE (agent_id, sequence)
);
CREATE INDEX commands_open ON commands (agent_id, sequence) WHERE state IN ('queued','sent');
CREATE INDEX commands_unended ON commands (agent_id) WHERE state IN ('queued','sent','accepted','running');
CREATE TABLE restores (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  backup_id uuid NOT NULL REFERENCES backups,
  database_id uuid NOT NULL REFERENCES databases,
  agent_id uuid NOT NULL REFERENCES agents,
  command_id uuid NOT NULL UNIQUE,
  fence bigint NOT NULL,
  target_database text NOT NULL,
  status text NOT NULL CHECK (status IN ('running','success','failed','cancelled')),
  progress jsonb,
  steps jsonb NOT NULL DEFAULT '[]',
  tables jsonb NOT NULL DEFAULT '[]',
  tables_total integer,
  tables_equal integer,
  log_tail text,
  error_code text,
  error_message text,
  requested_by uuid,
  started_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  deadline_at timestamptz
);
CREATE UNIQUE INDEX restores_one_running ON restores (database_id, target_database) WHERE status = 'running';
CREATE INDEX restores_backup ON restores (backup_id, started_at DESC);
CREATE INDEX restores_history ON restores (workspace_id, started_at DESC, id DESC);
CREATE TABLE audit_events (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  at timestamptz NOT NULL DEFAULT now(),
  actor_type text NOT NULL,
  actor_id uuid,
  action text NOT NULL,
  target_type text,
  target_id text,
  outcome text NOT NULL CHECK (outcome IN ('success','failure')),
  ip text,
  correlation_id text,
  detail jsonb
);
CREATE INDEX audit_workspace ON audit_events (workspace_id, at DESC, id DESC);
`;

export class Init1763640000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await guardTenantTables(runner, TENANT_TABLES);
    await runner.query(`ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY`);
    await runner.query(`ALTER TABLE workspaces FORCE ROW LEVEL SECURITY`);
    await runner.query(`CREATE POLICY workspace_only ON workspaces
      USING (id = nullif(current_setting('app.workspace_id', true), '')::uuid OR current_setting('app.system', true) = 'on')
      WITH CHECK (id = nullif(current_setting('app.workspace_id', true), '')::uuid OR current_setting('app.system', true) = 'on')`);
    await runner.query(`ALTER TABLE users ENABLE ROW LEVEL SECURITY`);
    await runner.query(`ALTER TABLE users FORCE ROW LEVEL SECURITY`);
    await runner.query(`CREATE POLICY members_only ON users
      USING (current_setting('app.system', true) = 'on' OR EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id))
      WITH CHECK (current_setting('app.system', true) = 'on')`);
  }

  down(): Promise<void> {
    return refuseDowngrade();
  }
}
