import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Client } from 'pg';
import type { ClientTools, DatabaseAccess } from '../engine/database-engine.js';
import { conninfo } from '../engine/postgres/pg-commands.js';

/** What a table, materialised view, large object or sequence holds, in the server's own words. */
export interface HeldBy {
  readonly name: string;
  readonly rows: number;
  readonly digest: string;
}

const PINNED =
  "SET default_transaction_read_only = off; SET timezone = 'UTC'; SET bytea_output = 'hex'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1; SET lc_monetary = 'C'; SET search_path = ''; SET statement_timeout = 0;";

/** Runs in the server alone: a name or a value never passes through an encoding of ours. */
const DIGESTS = `
  CREATE FUNCTION pg_temp.held() RETURNS TABLE (name text, held bigint, digest text) LANGUAGE plpgsql AS $held$
  DECLARE one record; called boolean; last bigint;
  BEGIN
    FOR one IN SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relkind AS kind FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'm', 'S') AND (c.relkind <> 'm' OR c.relispopulated)
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)' ORDER BY 1
    LOOP
      name := one.name;
      IF one.kind = 'S' THEN
        EXECUTE 'SELECT last_value, is_called FROM ' || one.name INTO last, called;
        held := 1; digest := last || ' ' || called;
      ELSE
        EXECUTE 'SELECT pg_catalog.count(*), pg_catalog.md5(coalesce(pg_catalog.string_agg(line, '''' ORDER BY line), ''''))
          FROM (SELECT pg_catalog.md5(t::text) COLLATE "C" AS line FROM ONLY ' || one.name || ' t) AS lines' INTO held, digest;
      END IF;
      RETURN NEXT;
    END LOOP;
    FOR one IN SELECT m.oid AS id, pg_catalog.pg_get_userbyid(m.lomowner)::text AS owner, m.lomacl::text AS acl FROM pg_catalog.pg_largeobject_metadata m ORDER BY 1
    LOOP
      name := 'large object ' || one.id; held := 1;
      digest := pg_catalog.md5(pg_catalog.lo_get(one.id)) || one.owner || coalesce(one.acl, '');
      RETURN NEXT;
    END LOOP;
  END $held$;`;

/** All that a database holds, computed by the server in SQL with none of the product's code. */
export async function secondOpinion(client: Client): Promise<HeldBy[]> {
  await client.query(PINNED);
  await client.query(DIGESTS);
  const { rows } = await client.query<{ name: string; held: string; digest: string }>(
    'SELECT name, held, digest FROM pg_temp.held()',
  );
  return rows.map(({ name, held, digest }) => ({ name, rows: Number(held), digest }));
}

/** Names of what differs, or is on one side only. */
export function differing(left: readonly HeldBy[], right: readonly HeldBy[]): string[] {
  const keyOf = ({ name, rows, digest }: HeldBy): string => JSON.stringify([name, rows, digest]);
  const [leftKeys, rightKeys] = [new Set(left.map(keyOf)), new Set(right.map(keyOf))];
  const only = [...left.filter((held) => !rightKeys.has(keyOf(held))), ...right.filter((held) => !leftKeys.has(keyOf(held)))];
  return [...new Set(only.map(({ name }) => name))];
}

const OWN_LINES = /^(\\(un)?restrict .*|-- Dumped (from|by) .*)$/;

/** `pg_dump --schema-only` of a database, without its random keys and the versions. */
export function schemaOf(access: DatabaseAccess, { folder }: ClientTools): string[] {
  const args = ['--schema-only', '--quote-all-identifiers', '--encoding=SQL_ASCII', `--dbname=${conninfo(access.connection)}`];
  const env = { PGPASSWORD: access.password ?? '', LC_ALL: 'C', PGOPTIONS: '-c lc_monetary=C -c TimeZone=UTC' };
  const { status, stdout, stderr } = spawnSync(join(folder, 'pg_dump'), args, { env, encoding: 'latin1', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`pg_dump --schema-only failed: ${stderr}`);
  return stdout.split('\n').filter((line) => !OWN_LINES.test(line));
}

/** Where two schemas part: the first line of each that the other does not have there. Null when they are the same. */
export function firstDifference(left: readonly string[], right: readonly string[]): string | null {
  const at = left.findIndex((line, position) => line !== right[position]);
  if (at < 0 && left.length === right.length) return null;
  const from = at < 0 ? left.length : at;
  return `line ${from + 1}: ${JSON.stringify(left.slice(from, from + 3))} / ${JSON.stringify(right.slice(from, from + 3))}`;
}
