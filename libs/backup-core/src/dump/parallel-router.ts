import type { CopyTarget } from './copy-target.js';
import { DumpFormError, type DumpHandler } from './dump-scanner.js';
import type { RestoreFilter } from './restore-filter.js';
import { mentionsOf, parseTocEntry, type TocEntry } from './toc-entry.js';

const NEWLINE = 0x0a;
/** What stands between the definitions and the rest, besides the rows of tables. */
const DATA = new Set(['TABLE DATA', 'SEQUENCE SET', 'BLOBS']);
/** Their order matters only within one table, and nothing in the data needs them. */
const BY_TABLE = new Set(['INDEX', 'CONSTRAINT']);
const SETTING = /^SET "?([a-z_]+)/;

/** A part of a dump and which session it is for. */
export type RoutedPart =
  /** Before everything else, in order. */
  | { readonly to: 'definitions'; readonly bytes: Buffer }
  /** Whole rows of one table: any session, behind the COPY statement if it has not had it. */
  | { readonly to: 'rows'; readonly copy: Buffer; readonly bytes: Buffer }
  | { readonly to: 'rows-end' }
  /** Sequence values and large objects, in order, at any time after the definitions. */
  | { readonly to: 'objects'; readonly bytes: Buffer };

/** What comes after all rows. */
export interface AfterRows {
  /** Indexes and keys of each table that has rows: tables in any order and at once. */
  readonly byTable: ReadonlyMap<string, readonly Buffer[]>;
  /** Then the rest, in order: foreign keys, triggers, views that need keys, grants, … */
  readonly last: readonly Buffer[];
}

/**
 * Takes a dump apart for several sessions, behind a RestoreFilter whose output it takes. Rows of one table may go to many sessions, since their
 * order means nothing. Memory is what comes after the rows: indexes, keys, grants.
 * @throws DumpFormError for rows that stand where pg_dump writes none
 */
export class ParallelRouter implements DumpHandler {
  private parts: RoutedPart[] = [];
  private phase: 'definitions' | 'data' | 'after' = 'definitions';
  private entry: TocEntry | null = null;
  private readonly preambleLines: Buffer[] = [];
  private readonly settings = new Map<string, Buffer[]>();
  private lastLine: Buffer[] = [];
  private held: Buffer[] = [];
  private table = '';
  private copy: Buffer = Buffer.alloc(0);
  private partialRow: Buffer[] = [];
  private readonly byTable = new Map<string, Buffer[]>();
  private readonly last: Buffer[] = [];
  /** Partitioned tables: their keys and indexes have no rows of their own, and lock the partitions that other sessions are at. */
  private readonly partitioned = new Set<string>();

  constructor(private readonly filter: RestoreFilter) {}

  line(): void {
    this.lastLine = this.filter.take().map((bytes) => Buffer.from(bytes));
    if (this.entry === null) this.preambleLines.push(...this.lastLine);
    if (this.phase === 'definitions') this.parts.push(...this.lastLine.map((bytes) => ({ to: 'definitions', bytes }) as const));
    else if (this.phase === 'data' && this.entry?.type !== 'TABLE DATA')
      this.parts.push(...this.lastLine.map((bytes) => ({ to: 'objects', bytes }) as const));
    else this.held.push(...this.lastLine);
  }

  comment(text: string): void {
    const entry = parseTocEntry(text);
    if (entry === null) return;
    this.close();
    this.entry = entry;
    this.phase = this.phaseOf(entry);
    if (this.phase === 'after') this.held = [...this.settings.values()].flat();
  }

  statement(sql: string): void {
    const setting = SETTING.exec(sql)?.[1];
    if (setting !== undefined && this.entry !== null) this.settings.set(setting, this.lastLine);
    const [first] = this.table === '' ? mentionsOf(sql) : [];
    this.table ||= first ?? '';
    if (this.entry?.type === 'TABLE ATTACH') this.partitioned.add(this.table);
  }

  copyStart({ schema, table }: CopyTarget): void {
    if (this.phase !== 'data' || this.entry?.type !== 'TABLE DATA')
      throw new DumpFormError(`The rows of ${schema}.${table} stand where pg_dump writes none.`, 0);
    this.copy = Buffer.concat(this.held);
  }

  copyData(): void {
    for (const bytes of this.filter.take()) {
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      if (end > 0) {
        const head = bytes.subarray(0, end);
        this.parts.push({
          to: 'rows',
          copy: this.copy,
          bytes: this.partialRow.length > 0 ? Buffer.concat([...this.partialRow, head]) : head,
        });
        this.partialRow = [];
      }
      if (end < bytes.length) this.partialRow.push(Buffer.from(bytes.subarray(end)));
    }
  }

  copyEnd(): void {
    this.filter.take();
    this.parts.push({ to: 'rows-end' });
  }

  /** What has been read since the last call. */
  take(): readonly RoutedPart[] {
    const { parts } = this;
    this.parts = [];
    return parts;
  }

  /** The settings at the dump's head, which every session needs. */
  preamble(): Buffer {
    return Buffer.concat(this.preambleLines);
  }

  /** Call it after the end of the dump. */
  after(): AfterRows {
    this.close();
    return { byTable: this.byTable, last: this.last };
  }

  private phaseOf({ type, name, schema }: TocEntry): 'definitions' | 'data' | 'after' {
    const isData = DATA.has(type) || (this.phase === 'data' && schema === '' && /^LARGE OBJECTS? \d/.test(name));
    if (this.phase !== 'after' && isData) return 'data';
    const isAfter = this.phase !== 'definitions' || BY_TABLE.has(type) || type === 'FK CONSTRAINT';
    return isAfter ? 'after' : 'definitions';
  }

  private close(): void {
    if (this.phase === 'after' && this.entry) {
      if (BY_TABLE.has(this.entry.type) && !this.partitioned.has(this.table)) {
        const own = this.byTable.get(this.table) ?? [];
        own.push(...this.held);
        this.byTable.set(this.table, own);
      } else this.last.push(...this.held);
    }
    this.held = [];
    this.table = '';
  }
}
