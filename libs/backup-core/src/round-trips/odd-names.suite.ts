/** Names that are a program's bad dream and PostgreSQL's good right. None is longer than 63 bytes, none begins with `pg_`. */
export const ODD_NAMES: readonly string[] = [
  'plain with space',
  ' leading and trailing ',
  'double "quote',
  '"',
  `o'brien`,
  String.raw`back\slash`,
  String.raw`\.`,
  String.raw`\connect evil`,
  String.raw`\! id`,
  'new\nline',
  '\n\\.\n',
  'cr\r\nlf',
  'tab\there',
  'x\n-- PostgreSQL database dump complete\n',
  'dot.ted.name',
  '.',
  '-leading',
  '--comment',
  '/* open',
  '*/',
  'İğdır ı I i',
  '🍾 şişe',
  'x'.repeat(63),
  `${'ş'.repeat(31)}x`,
  'select',
  'user',
  'NULL',
  'a=b host=evil',
  '$1',
  '$$',
  '$tag$',
  '$(id) `id`',
  ';DROP TABLE x;',
  'COPY x FROM stdin;',
  'COMMIT;',
  '%s%n%I',
  '(paren',
  ')',
  ',',
  ':"HOST"',
  'HOST',
  '{brace}',
  '[1:2]',
  'E',
  'U&',
];

export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const literal = (value: string): string =>
  value.includes('\\') ? `E'${value.replaceAll(/['\\]/g, '\\$&')}'` : `'${value.replaceAll("'", "''")}'`;

/** Text that a reader of dumps may take for something else. */
export const ODD_TEXT: readonly string[] = [
  '',
  String.raw`\.`,
  String.raw`\N`,
  'NULL',
  '\n\\.\n',
  'a\r\nb\rc\nd\te',
  '\b\f\v\u0001\u001f\u007f\u0085\u2028',
  '-- PostgreSQL database dump complete\n',
  'COPY "public"."t" ("a") FROM stdin;\n1\n\\.\n',
  "';COMMIT;--",
  '\\',
  '\\\\',
  'İstanbul ğüşıöçĞÜŞIÖÇ 🍾 日本語',
  '\uFEFFbom',
  'x'.repeat(100_000),
];

const rows = (table: string): string =>
  `INSERT INTO ${table} (id, note) VALUES ${ODD_TEXT.map((text, at) => `(${at}, ${literal(text)})`).join(', ')};`;

/** Each name as that of a schema, table, column, sequence, type, function, index, constraint, trigger, policy, role, and in comments and labels. */
export function oddNamesSql(): string {
  const each = ODD_NAMES.map((name, at) => {
    const odd = identifier(name);
    const table = `${odd}.${odd}`;
    return `
      CREATE ROLE ${odd};
      CREATE SCHEMA ${odd} AUTHORIZATION ${odd};
      CREATE TABLE ${table} (id int PRIMARY KEY, ${odd} text DEFAULT ${literal(name)}, note text, CONSTRAINT ${odd} CHECK (${odd} <> ${literal(`${name}!`)}));
      ${rows(table)}
      INSERT INTO ${table} (id, ${odd}) VALUES (-1, NULL);
      CREATE INDEX ON ${table} (upper(${odd})) WHERE ${odd} <> ${literal(name)};
      CREATE SEQUENCE "sequences".${odd} START ${at + 5};
      ALTER TABLE ${table} ALTER note SET DEFAULT nextval(${literal(`"sequences".${odd}`)});
      SELECT setval(${literal(`"sequences".${odd}`)}, ${at + 7}, ${at % 2 === 0});
      CREATE TYPE "types".${odd} AS ENUM (${literal(name)}, 'other');
      CREATE TABLE "typed".${odd} (${odd} "types".${odd}, list "types".${odd}[]);
      INSERT INTO "typed".${odd} VALUES (${literal(name)}, ARRAY[${literal(name)}, NULL]::"types".${odd}[]);
      CREATE FUNCTION "functions".${odd}(${odd} text) RETURNS text LANGUAGE sql IMMUTABLE AS ${literal(`SELECT $1 || ${literal(name)}`)};
      CREATE VIEW "views".${odd} AS SELECT ${odd} AS "v ${at}", ${literal(name)}::text AS lit, "functions".${odd}(${odd}) AS called FROM ${table} AS ${odd};
      CREATE TRIGGER ${odd} BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION "functions".nothing(${literal(name)});
      CREATE POLICY ${odd} ON ${table} TO ${odd} USING (${odd} = ${literal(name)});
      ALTER TABLE ${table} OWNER TO ${odd};
      ALTER TABLE "typed".${odd} OWNER TO ${odd};
      GRANT SELECT ON "views".${odd} TO ${odd} WITH GRANT OPTION;
      GRANT SELECT (${odd}), UPDATE (note) ON ${table} TO PUBLIC;
      ALTER DEFAULT PRIVILEGES FOR ROLE ${odd} IN SCHEMA ${odd} GRANT SELECT ON TABLES TO ${odd};
      COMMENT ON TABLE ${table} IS ${literal(`${name}\n-- PostgreSQL database dump complete\n\\.\nCOMMIT;\n\\connect x`)};
      COMMENT ON COLUMN ${table}.${odd} IS ${literal(name)};`;
  });
  return `
    CREATE SCHEMA "sequences"; CREATE SCHEMA "types"; CREATE SCHEMA "typed"; CREATE SCHEMA "functions"; CREATE SCHEMA "views";
    CREATE FUNCTION "functions".nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    ${each.join('\n')}`;
}
