import { parseCopy } from './copy-target.js';

/** How every statement begins that pg_dump writes. */
const WRITTEN_BY_PG_DUMP =
  /^(set|select|create|alter|comment\s+on|grant|revoke|copy|refresh\s+materialized\s+view|security\s+label)\b/i;
/** Of the server and not of the database: a plain dump of one database has none of them. */
const BEYOND_THE_DATABASE = /^(alter\s+system|(create|alter|drop)\s+(database|role|group|tablespace|user(?!\s+mapping\b)))\b/i;
/** A constant as pg_dump writes it: no expression, so nothing is called but the function itself. */
const CONSTANT = String.raw`(?:E'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|-?\d+|true|false)`;
const SELECT_OF_PG_DUMP = new RegExp(
  String.raw`^SELECT pg_catalog\.(?:set_config|setval|lo_create|lo_open|lowrite|lo_close)\(${CONSTANT}(?:, ${CONSTANT})*\);$`,
  's',
);
const SHOWN_WORDS = /^[a-z]+(?:\s+[a-z]+)?/i;
const SHOWN_LENGTH = 40;

function kindOf(sql: string): string | null {
  if (!WRITTEN_BY_PG_DUMP.test(sql)) return 'a statement that pg_dump does not write';
  if (BEYOND_THE_DATABASE.test(sql)) return 'a statement about the server instead of the database';
  if (/^copy\b/i.test(sql) && parseCopy(sql) === null) return 'a COPY that reads or writes something else than the dump';
  if (/^select\b/i.test(sql) && !SELECT_OF_PG_DUMP.test(sql)) return 'a query that pg_dump does not write';
  return null;
}

/**
 * What makes a statement none of pg_dump's, or null for one of its own: `a COPY that … (copy t …)`. Refused are COPY with a program or a file, DO, CALL,
 * queries but pg_dump's few, roles and databases, … What a dump defines and the server itself then calls (functions in constraints, views, triggers)
 * cannot be told from honest ones: where that must reach nothing, the server is a throw-away one.
 * @param sql one statement with its `;`, without the comments before it
 */
export function foreignStatement(sql: string): string | null {
  const kind = sql === ';' ? null : kindOf(sql);
  if (kind === null) return null;
  const words = SHOWN_WORDS.exec(sql)?.[0].slice(0, SHOWN_LENGTH) ?? '';
  return `${kind} (${words} …)`;
}
