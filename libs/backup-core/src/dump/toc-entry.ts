import { qualifiedName } from './copy-target.js';

const TOC = /^(Data for )?Name: (.*); Type: ([A-Z][A-Z ]*); Schema: (.*); Owner: (.*)$/;
const QUALIFIED = /"((?:[^"]|"")+)"\."((?:[^"]|"")+)"/g;
const DOLLAR_QUOTED = /\$([A-Za-z_\u0080-\uffff]\w*)?\$[\s\S]*?\$\1\$/g;
const WITH_ARGUMENTS = new Set(['FUNCTION', 'PROCEDURE', 'AGGREGATE']);

/** One thing of a dump, as pg_dump announces it in a comment. */
export interface TocEntry {
  /** pg_dump's own word: TABLE, FK CONSTRAINT, TABLE DATA, … */
  readonly type: string;
  readonly schema: string;
  readonly name: string;
  /** `"schema"."name"` as statements write it; null for what has no schema. A function's is without its arguments. */
  readonly qualified: string | null;
}

/** Reads the text of a comment line; null for any other comment. */
export function parseTocEntry(comment: string): TocEntry | null {
  const [, , name, type, schema] = TOC.exec(comment) ?? [];
  if (name === undefined || type === undefined || schema === undefined) return null;
  const bare = WITH_ARGUMENTS.has(type) ? name.slice(0, name.indexOf('(')) : name;
  return { type, schema: schema === '-' ? '' : schema, name, qualified: schema === '-' ? null : qualifiedName(schema, bare) };
}

/**
 * The qualified names in a statement of `pg_dump --quote-all-identifiers`, string constants such as nextval('"s"."q"') included, function bodies
 * (which the server does not look into when it restores) not.
 */
export function mentionsOf(sql: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [name] of sql.replaceAll(DOLLAR_QUOTED, '').matchAll(QUALIFIED)) {
    names.add(name);
    // In a string constant quotes and backslashes stand twice.
    if (/''|\\\\/.test(name)) names.add(name.replaceAll("''", "'").replaceAll('\\\\', '\\'));
  }
  return names;
}
