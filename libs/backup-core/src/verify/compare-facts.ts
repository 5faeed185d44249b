import type { DumpFacts, TableFacts } from '../dump/dump-facts.js';

export type ParsedFacts = Omit<DumpFacts, 'database'>;

const nameOf = ({ schema, table }: Pick<TableFacts, 'schema' | 'table'>): string => `${schema}.${table}`;

/** What one list has more often than the other: `− x` is missing, `+ x` was not recorded. */
function differences(recorded: readonly string[], found: readonly string[]): string[] {
  const count = new Map<string, number>();
  for (const name of recorded) count.set(name, (count.get(name) ?? 0) - 1);
  for (const name of found) count.set(name, (count.get(name) ?? 0) + 1);
  return [...count].flatMap(([name, balance]) => (balance === 0 ? [] : [`${balance < 0 ? '−' : '+'} ${name}`]));
}

const objectsOf = ({ objects }: ParsedFacts): string[] =>
  objects.map(({ type, schema, name }) => `${type} ${schema === '' ? '' : `${schema}.`}${name}`);
const tablesOf = ({ tables }: ParsedFacts): string[] =>
  tables.map((table) => `TABLE DATA ${nameOf(table)} (${table.columns.join(', ')})`);

/** Schema objects, tables and columns that the dump has other than was recorded; empty when it is complete. */
export const schemaDifferences = (recorded: ParsedFacts, found: ParsedFacts): readonly string[] => [
  ...differences(objectsOf(recorded), objectsOf(found)),
  ...differences(tablesOf(recorded), tablesOf(found)),
];

const simpleFacts = (facts: ParsedFacts): Readonly<Record<string, string>> => ({
  'server version': facts.serverVersion ?? 'none',
  'tool version': facts.toolVersion ?? 'none',
  encoding: facts.encoding ?? 'none',
  'large objects': `${facts.largeObjects.count} with ${facts.largeObjects.bytes} bytes`,
});

/** Versions, encoding, extensions, roles, sequences and row counts that are other than was recorded; empty when all are the same. */
export function metadataDifferences(recorded: ParsedFacts, found: ParsedFacts): readonly string[] {
  const now = simpleFacts(found);
  const simple = Object.entries(simpleFacts(recorded)).flatMap(([name, value]) =>
    now[name] === value ? [] : [`${name}: recorded ${value}, found ${now[name] ?? 'none'}`],
  );
  const rows = ({ tables }: ParsedFacts): string[] =>
    tables.map((table) => `rows of ${nameOf(table)}: ${table.rows} (${table.bytes} bytes)`);
  const sequences = (facts: ParsedFacts): string[] =>
    facts.sequences.map(({ name, value, called }) => `sequence ${name} at ${value}${called ? '' : ' (not called)'}`);
  return [
    ...simple,
    ...differences(
      recorded.extensions.map((name) => `extension ${name}`),
      found.extensions.map((name) => `extension ${name}`),
    ),
    ...differences(
      recorded.roles.map((name) => `role ${name}`),
      found.roles.map((name) => `role ${name}`),
    ),
    ...differences(rows(recorded), rows(found)),
    ...differences(sequences(recorded), sequences(found)),
  ];
}
