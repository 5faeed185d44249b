import { qualifiedName } from './copy-target.js';

// A name may hold any character but a line end, such as U+2028.
const TOC = /^(?:Data for )?Name: (.*); Type: ([A-Z][A-Z ]*); Schema: (.*)$/s;
const OWNER = '; Owner: ';
// No name has more characters, doubled ones included: without a bound a text of quotes takes quadratic time.
const QUALIFIED = /"((?:[^"]|""){1,256})"\."((?:[^"]|""){1,256})"/g;
const DOLLAR_TAGS = /(?=(\$(?:[A-Za-z_\u0080-\uffff]\w*)?\$))/g;
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
  const ownerAt = comment.lastIndexOf(OWNER);
  const [, name, type, schema] = (ownerAt < 0 ? null : TOC.exec(comment.slice(0, ownerAt))) ?? [];
  if (name === undefined || type === undefined || schema === undefined) return null;
  const bare = WITH_ARGUMENTS.has(type) ? name.slice(0, name.indexOf('(')) : name;
  return { type, schema: schema === '-' ? '' : schema, name, qualified: schema === '-' ? null : qualifiedName(schema, bare) };
}

/** Takes the dollar-quoted strings out, in one pass: where a tag stands for the last time is known before any end is looked for. */
function withoutDollarQuoted(sql: string): string {
  const tags = [...sql.matchAll(DOLLAR_TAGS)].map(({ index, 1: tag = '' }) => ({ index, tag }));
  const last = new Map(tags.map(({ index, tag }) => [tag, index]));
  let kept = '';
  let from = 0;
  for (const { index, tag } of tags) {
    const bodyAt = index + tag.length;
    if (index < from || (last.get(tag) ?? -1) < bodyAt) continue;
    kept += sql.slice(from, index);
    from = sql.indexOf(tag, bodyAt) + tag.length;
  }
  return kept + sql.slice(from);
}

/**
 * The qualified names in a statement of `pg_dump --quote-all-identifiers`, string constants such as nextval('"s"."q"') included, function bodies
 * (which the server does not look into when it restores) not.
 */
export function mentionsOf(sql: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [name] of withoutDollarQuoted(sql).matchAll(QUALIFIED)) {
    names.add(name);
    // In a string constant quotes and backslashes stand twice.
    if (/''|\\\\/.test(name)) names.add(name.replaceAll("''", "'").replaceAll('\\\\', '\\'));
  }
  return names;
}
