import { qualifiedName, quoteIdentifier, type CopyTarget } from './copy-target.js';
import type { DumpHandler } from './dump-scanner.js';
import type { RestoreFilter } from './restore-filter.js';
import type { SelectionPlan } from './selection-plan.js';
import { mentionsOf, parseTocEntry, type TocEntry } from './toc-entry.js';

const TABLES = new Set(['TABLE', 'FOREIGN TABLE']);
const LARGE_OBJECTS = new Set(['BLOB', 'BLOBS', 'BLOB METADATA']);
/** Their comments and grants. */
const OF_LARGE_OBJECT = /^LARGE OBJECTS? \d/;
/** Follow what they belong to, and are not worth a word of their own. */
const UNNAMED = new Set(['ACL', 'COMMENT', 'DEFAULT', 'SEQUENCE OWNED BY', 'SEQUENCE SET', 'TABLE DATA', 'INDEX ATTACH']);
/** Said once and in force until said again, so they stay whatever they stand before. */
const SETTING = /^SET /;
const INDEX_OF_CONSTRAINT = /^ALTER TABLE .* ADD CONSTRAINT ("(?:[^"]|"")+") (?:PRIMARY KEY|UNIQUE|EXCLUDE)/s;
const SHOWN = 20;

/**
 * Lets only that part of a dump through which a selection needs. An entry is left out when its statements mention something that is left out;
 * what it defines is then left out too, so that views of views follow. Stands behind a RestoreFilter, whose output it takes and passes on.
 */
export class SelectionFilter implements DumpHandler {
  private out: Buffer[] = [];
  private held: Buffer[] = [];
  private settings: Buffer[] = [];
  private lastLine: Buffer[] = [];
  private entry: TocEntry | null = null;
  /** The index that the current entry makes by a constraint. */
  private index: string | null = null;
  private mode: 'hold' | 'pass' | 'drop' = 'pass';
  private readonly leftOut: Set<string>;
  private readonly mentions = new Set<string>();
  private readonly dropped = new Map<string, string[]>();
  private tablesLeftOut = 0;
  private largeObjectsLeftOut = false;

  constructor(
    private readonly filter: RestoreFilter,
    private readonly plan: SelectionPlan,
  ) {
    this.leftOut = new Set(plan.leftOut);
  }

  line(): void {
    // Lines may be views into what was pushed, so those that wait are copied.
    this.lastLine = this.filter.take().map((bytes) => (this.mode === 'hold' ? Buffer.from(bytes) : bytes));
    if (this.mode === 'pass') this.out.push(...this.lastLine);
    else if (this.mode === 'hold') this.held.push(...this.lastLine);
  }

  comment(text: string): void {
    const entry = parseTocEntry(text);
    if (entry === null) return;
    this.close();
    this.entry = entry;
    this.mode = this.modeOf(entry);
  }

  statement(sql: string): void {
    if (SETTING.test(sql) && this.mode !== 'pass') (this.mode === 'hold' ? this.settings : this.out).push(...this.lastLine);
    if (this.mode !== 'hold') return;
    this.index = INDEX_OF_CONSTRAINT.exec(sql)?.[1] ?? this.index;
    for (const name of mentionsOf(sql)) this.mentions.add(name);
  }

  copyStart({ schema, table }: CopyTarget): void {
    const isSelected = this.plan.tables.has(qualifiedName(schema, table));
    this.out.push(...(isSelected ? this.held : this.settings));
    this.held = [];
    this.settings = [];
    this.mode = isSelected ? 'pass' : 'drop';
  }

  copyData(): void {
    this.rows();
  }

  copyEnd(): void {
    this.rows();
  }

  /** What has been let through since the last call. Call it with `last` after the end of the dump. */
  take(last = false): Buffer[] {
    if (last) this.close();
    const { out } = this;
    this.out = [];
    return out;
  }

  /** Whether a sequence, as the dump quotes it, was restored. */
  keeps(sequence: string): boolean {
    return !this.leftOut.has(sequence);
  }

  /** What was left out, in words. */
  summary(): string {
    const kinds = [...this.dropped].map(([type, names]) => {
      const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
      return `${type}: ${names.slice(0, SHOWN).join(', ')}${more}`;
    });
    const { tables, definitions, leftOut } = this.plan;
    const parts = [
      `${tables.size} tables with their rows`,
      ...(definitions.size > 0 ? [`${[...definitions].join(', ')} without rows, because a selected table needs it`] : []),
      ...(leftOut.size > 0 ? [`${this.tablesLeftOut} tables were left out`] : []),
      ...(this.largeObjectsLeftOut ? ['large objects were left out'] : []),
      ...kinds,
    ];
    return parts.join('; ');
  }

  private modeOf({ type, name, schema }: TocEntry): 'hold' | 'pass' | 'drop' {
    const isOfLargeObject = schema === '' && OF_LARGE_OBJECT.test(name);
    if (!LARGE_OBJECTS.has(type) && !isOfLargeObject) return 'hold';
    if (!this.plan.largeObjects) this.largeObjectsLeftOut = true;
    return this.plan.largeObjects ? 'pass' : 'drop';
  }

  private rows(): void {
    const buffers = this.filter.take();
    if (this.mode === 'pass') this.out.push(...buffers);
  }

  private close(): void {
    if (this.mode === 'hold' && this.entry) {
      const isLeftOut = this.isLeftOut(this.entry);
      this.out.push(...(isLeftOut ? this.settings : this.held));
      if (isLeftOut) this.leave(this.entry);
    }
    this.held = [];
    this.settings = [];
    this.mentions.clear();
    this.index = null;
    this.entry = null;
    this.mode = 'pass';
  }

  private isLeftOut({ type, qualified }: TocEntry): boolean {
    if (TABLES.has(type)) return this.leftOut.has(qualified ?? '');
    for (const name of this.mentions) {
      if (this.leftOut.has(name)) return true;
      // A table without its rows cannot be pointed to.
      if (type === 'FK CONSTRAINT' && this.plan.definitions.has(name)) return true;
    }
    return false;
  }

  private leave(entry: TocEntry): void {
    const { type, qualified, schema, name } = entry;
    if (TABLES.has(type)) this.tablesLeftOut += 1;
    const isPart = UNNAMED.has(type) || this.plan.leftOut.has(qualified ?? '') || this.belongsToLeftOut(entry);
    this.forget(entry);
    if (isPart) return;
    const names = this.dropped.get(type) ?? [];
    names.push(schema === '' ? name : `${schema}.${name}`);
    this.dropped.set(type, names);
  }

  /** What mentions this later is left out as well. */
  private forget({ type, qualified, schema }: TocEntry): void {
    if (this.index !== null) this.leftOut.add(`${quoteIdentifier(schema)}.${this.index}`);
    if (qualified === null || type.endsWith('CONSTRAINT') || UNNAMED.has(type)) return;
    const { tables, definitions } = this.plan;
    if (!tables.has(qualified) && !definitions.has(qualified)) this.leftOut.add(qualified);
  }

  /** Indexes, triggers and the like of a table or view that is left out go without saying. */
  private belongsToLeftOut({ type }: TocEntry): boolean {
    const [first = '', second = ''] = this.mentions;
    return this.leftOut.has(type === 'TABLE ATTACH' && this.leftOut.has(first) ? second : first);
  }
}
