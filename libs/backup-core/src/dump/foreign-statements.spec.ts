import { foreignStatement } from './foreign-statements.js';

describe('foreignStatement', () => {
  it.each([
    'SET statement_timeout = 0;',
    "SELECT pg_catalog.set_config('search_path', '', false);",
    `SELECT pg_catalog.setval('public."odd''name_seq"', -42, true);`,
    "SELECT pg_catalog.lo_create('16499');",
    "SELECT pg_catalog.lo_open('16499', 131072);",
    String.raw`SELECT pg_catalog.lowrite(0, '\x00ff');`,
    'SELECT pg_catalog.lo_close(0);',
    'COPY "public"."t" ("a", "b") FROM stdin;',
    'CREATE FUNCTION "public"."f"() RETURNS integer LANGUAGE "sql" AS $$ select 1 $$;',
    'CREATE USER MAPPING FOR "bob" SERVER "far";',
    'ALTER TABLE ONLY "public"."t" ADD CONSTRAINT "c" CHECK (("a" > 0));',
    'REFRESH MATERIALIZED VIEW "public"."m";',
    `SECURITY LABEL ON TABLE "public"."t" IS 'x';`,
    'COMMENT ON EXTENSION "citext" IS \'\';',
    'GRANT ALL ON SCHEMA "public" TO PUBLIC;',
    ';',
  ])('lets %j through, which pg_dump writes', (sql) => {
    expect(foreignStatement(sql)).toBeNull();
  });

  it.each([
    ["COPY t FROM PROGRAM 'id';", 'a COPY that'],
    ["COPY t TO PROGRAM 'id';", 'a COPY that'],
    ["copy t from '/etc/passwd';", 'a COPY that'],
    ["COPY (SELECT 1) TO '/tmp/x';", 'a COPY that'],
    ["DO $$ BEGIN EXECUTE 'COPY t TO PROGRAM ''id'''; END $$;", 'a statement that pg_dump does not write (DO'],
    ['CALL evil();', 'a statement that'],
    ["LOAD '/tmp/evil.so';", 'a statement that'],
    ['DROP TABLE t;', 'a statement that'],
    ['INSERT INTO t SELECT evil();', 'a statement that'],
    ["EXPLAIN ANALYZE SELECT pg_read_file('x');", 'a statement that'],
    ["SELECT lo_export(16499, '/tmp/x');", 'a query that'],
    ["SELECT pg_catalog.pg_read_file('/etc/passwd');", 'a query that'],
    ["SELECT * FROM dblink('host=x', 'y') AS t(a text);", 'a query that'],
    ["SELECT pg_catalog.setval('s', (SELECT length(pg_read_file('x'))), true);", 'a query that'],
    ["SELECT pg_catalog.set_config('a', '', false), evil();", 'a query that'],
    [String.raw`SELECT pg_catalog.set_config('a', E'\', evil(), \'', false);`.replace('false', 'evil()'), 'a query that'],
    ["ALTER SYSTEM SET archive_command = 'id';", 'a statement about the server'],
    ['CREATE ROLE evil SUPERUSER;', 'a statement about the server'],
    ["ALTER USER postgres PASSWORD 'x';", 'a statement about the server'],
    ['CREATE DATABASE other;', 'a statement about the server'],
    ['WITH x AS (SELECT 1) SELECT evil();', 'a statement that'],
    ['TABLE t;', 'a statement that'],
    ['VALUES (evil());', 'a statement that'],
  ])('refuses %j', (sql, why) => {
    expect(foreignStatement(sql)).toContain(why);
  });
});
