/** One table's data block: `COPY schema.table (columns) FROM stdin;`, names unquoted. */
export interface CopyTarget {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
}

const IDENTIFIER = String.raw`(?:"(?:[^"]|"")+"|[^\s".,()]+)`;
const COPY = new RegExp(String.raw`^COPY\s+(${IDENTIFIER})\.(${IDENTIFIER})\s+(?:\((.*)\)\s+)?FROM\s+stdin;$`, 'is');
const COLUMN = new RegExp(String.raw`\s*(${IDENTIFIER})\s*(?:,|$)`, 'gy');

const unquote = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);

/** Reads the only form of COPY that pg_dump writes; null for any other statement. */
export function parseCopy(statement: string): CopyTarget | null {
  const match = COPY.exec(statement);
  if (!match) return null;
  const [, schema = '', table = '', list] = match;
  const columns: string[] = [];
  COLUMN.lastIndex = 0;
  for (let end = 0; list !== undefined && end < list.length; end = COLUMN.lastIndex) {
    const column = COLUMN.exec(list);
    if (!column) return null;
    columns.push(unquote(column[1] ?? ''));
  }
  return { schema: unquote(schema), table: unquote(table), columns };
}

export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** `"schema"."table"`, safe in any statement. */
export const qualifiedName = (schema: string, table: string): string => `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
