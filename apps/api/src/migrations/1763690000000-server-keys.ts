import type { MigrationInterface, QueryRunner } from 'typeorm';
import { guardSealedColumns } from './sealed-columns.js';
import { refuseDowngrade } from './tenant-tables.js';

/**
 * Which key-encryption keys this database has met. `proof` is a known text that the key sealed, so that a wrong key is seen before it does anything.
 * `retired_at`: nothing that it sealed is written any more. `emptied_at`: nothing that it sealed is left. The lock makes a writer and the retirement
 * wait for each other: after it no row of the old key can appear.
 */
const CHANGES = `
CREATE TABLE server_keys (
  kid text PRIMARY KEY,
  proof text NOT NULL,
  met_at timestamptz NOT NULL DEFAULT now(),
  retired_at timestamptz,
  emptied_at timestamptz
);
CREATE FUNCTION refuse_retired_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  sealed text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
  IF sealed IS NULL OR (TG_OP = 'UPDATE' AND sealed = to_jsonb(OLD) ->> TG_ARGV[0]) THEN
    RETURN NEW;
  END IF;
  PERFORM pg_advisory_xact_lock_shared(7282841226);
  IF EXISTS (SELECT 1 FROM server_keys WHERE kid = split_part(sealed, '|', 2) AND retired_at IS NOT NULL) THEN
    RAISE EXCEPTION 'this secret is sealed by a server key that was retired' USING ERRCODE = 'RB001';
  END IF;
  RETURN NEW;
END $$;
`;

export class ServerKeys1763690000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CHANGES);
    await guardSealedColumns(runner, [
      { table: 'storages', column: 'credentials' },
      { table: 'totp_factors', column: 'secret' },
    ]);
  }

  down(): Promise<void> {
    return refuseDowngrade();
  }
}
