import type { RestoreSelection } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { qualifiedName } from './copy-target.js';
import type { DumpFacts } from './dump-facts.js';
import type { DumpHandler } from './dump-scanner.js';
import { mentionsOf, parseTocEntry, type TocEntry } from './toc-entry.js';

/** Where the definitions end and data or indexes begin. */
const AFTER_DEFINITIONS = new Set(['TABLE DATA', 'SEQUENCE SET', 'BLOBS', 'INDEX', 'CONSTRAINT', 'FK CONSTRAINT']);
const TABLES = new Set(['TABLE', 'FOREIGN TABLE']);
/** What belongs to the table that its statement names first. */
const OF_A_TABLE = new Set(['DEFAULT', 'SEQUENCE']);
/** Entries with the name of something that another entry defines. */
const NO_DEFINITION = new Set(['COMMENT', 'ACL', 'SECURITY LABEL', 'TABLE ATTACH', 'SEQUENCE OWNED BY', 'ROW SECURITY']);
const OBJECT_COLUMN = /"[^"]+" "?(?:oid|lo)"?(?:\s|,|$)|\."lo"(?:\s|,|$)/m;
const NAMED = 10;

/** What a selection comes to in one dump. Names are qualified and quoted. */
export interface SelectionPlan {
  /** Restored with their rows. */
  readonly tables: ReadonlySet<string>;
  /** Restored without rows, because a selected one needs them to exist: the parent of an inheriting table, a row type. */
  readonly definitions: ReadonlySet<string>;
  /** Not restored: the other tables and their sequences. */
  readonly leftOut: ReadonlySet<string>;
  /** A selected table refers to large objects, so they come along. */
  readonly largeObjects: boolean;
}

interface Definition {
  readonly entry: TocEntry;
  readonly mentions: Set<string>;
  sql: string;
}

const words = ({ schema, table }: RestoreSelection): string => (table === null ? `schema ${schema}` : `table ${schema}.${table}`);

/** Those parts of a selection that the backup does not have. */
export function unknownSelection(selection: readonly RestoreSelection[], facts: Pick<DumpFacts, 'objects'>): string[] {
  const has = ({ schema, table }: RestoreSelection): boolean =>
    table === null
      ? facts.objects.some((object) => object.schema === schema || (object.type === 'SCHEMA' && object.name === schema))
      : facts.objects.some((object) => TABLES.has(object.type) && object.schema === schema && object.name === table);
  return selection.filter((item) => !has(item)).map(words);
}

/** @throws AppError SELECTION_INVALID naming what the backup lacks */
export function assertSelection(selection: readonly RestoreSelection[], facts: Pick<DumpFacts, 'objects'>): void {
  const unknown = unknownSelection(selection, facts);
  if (unknown.length === 0) return;
  const more = unknown.length > NAMED ? ` and ${unknown.length - NAMED} more` : '';
  throw new AppError(
    'SELECTION_INVALID',
    `The backup does not have ${unknown.slice(0, NAMED).join(', ')}${more}. Choose from its tables; upper and lower case count.`,
    { unknown },
  );
}

/**
 * Reads the definitions of a dump and works out what a selection needs: the selected tables, the partitions of those that are partitioned, and
 * the definitions that these cannot do without.
 */
export class SelectionPlanner implements DumpHandler {
  private readonly definitions: Definition[] = [];
  private current: Definition | null = null;
  private over = false;

  constructor(private readonly selection: readonly RestoreSelection[]) {}

  /** All definitions were read: the rest of the dump need not be. */
  get isComplete(): boolean {
    return this.over;
  }

  comment(text: string): void {
    const entry = parseTocEntry(text);
    if (entry === null || this.over) return;
    this.over = AFTER_DEFINITIONS.has(entry.type);
    this.current = this.over ? null : { entry, mentions: new Set(), sql: '' };
    if (this.current) this.definitions.push(this.current);
  }

  statement(sql: string): void {
    if (!this.current) return;
    for (const name of mentionsOf(sql)) this.current.mentions.add(name);
    if (this.current.entry.type === 'TABLE') this.current.sql += sql;
  }

  plan(): SelectionPlan {
    const tables = this.selectedTables();
    const needed = this.neededBy(tables);
    const all = this.definitions.filter(({ entry }) => TABLES.has(entry.type)).map(({ entry }) => entry.qualified ?? '');
    const leftOut = new Set(all.filter((name) => !tables.has(name) && !needed.has(name)));
    for (const { entry, mentions } of this.definitions) {
      const [sequence, table] = entry.type === 'SEQUENCE OWNED BY' ? [...mentions] : [];
      if (sequence !== undefined && table !== undefined && leftOut.has(table) && !needed.has(sequence)) leftOut.add(sequence);
    }
    const definitions = new Set(all.filter((name) => needed.has(name) && !tables.has(name)));
    const largeObjects = this.definitions.some(
      ({ entry, sql }) => tables.has(entry.qualified ?? '') && entry.type === 'TABLE' && OBJECT_COLUMN.test(sql),
    );
    return { tables, definitions, leftOut, largeObjects };
  }

  private selectedTables(): Set<string> {
    const named = new Set(this.selection.flatMap(({ schema, table }) => (table === null ? [] : [qualifiedName(schema, table)])));
    const schemas = new Set(this.selection.filter(({ table }) => table === null).map(({ schema }) => schema));
    const tables = new Set<string>();
    for (const { entry } of this.definitions) {
      const { qualified, type, schema } = entry;
      if (qualified !== null && TABLES.has(type) && (named.has(qualified) || schemas.has(schema))) tables.add(qualified);
    }
    // A partitioned table has its rows in its partitions, which may be partitioned themselves.
    const attached = this.definitions.filter(({ entry }) => entry.type === 'TABLE ATTACH').map(({ mentions }) => [...mentions]);
    for (let before = -1; before !== tables.size;) {
      before = tables.size;
      for (const [parent, child] of attached)
        if (parent !== undefined && child !== undefined && tables.has(parent)) tables.add(child);
    }
    return tables;
  }

  /** Everything that the definitions of these tables mention, and what that mentions, and so on. */
  private neededBy(tables: ReadonlySet<string>): Set<string> {
    const byName = new Map<string, Definition[]>();
    for (const definition of this.definitions) {
      if (NO_DEFINITION.has(definition.entry.type)) continue;
      const name = definition.entry.qualified ?? '';
      byName.set(name, [...(byName.get(name) ?? []), definition]);
    }
    const needed = new Set<string>();
    const left = this.definitions.filter(
      ({ entry, mentions }) =>
        (TABLES.has(entry.type) && tables.has(entry.qualified ?? '')) ||
        (OF_A_TABLE.has(entry.type) && tables.has([...mentions][0] ?? '')),
    );
    for (let definition = left.pop(); definition; definition = left.pop()) {
      for (const name of definition.mentions) {
        if (needed.has(name)) continue;
        needed.add(name);
        left.push(...(byName.get(name) ?? []));
      }
    }
    return needed;
  }
}
