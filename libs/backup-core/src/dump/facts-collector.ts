import type { CopyTarget } from './copy-target.js';
import type { DumpFacts, SchemaObject, SequenceFacts, TableFacts } from './dump-facts.js';
import { DumpFormError, type DumpHandler, type LinePlace } from './dump-scanner.js';
import { LargeObjectStatements } from './large-objects.js';
import { rolesOf } from './roles.js';
import { parseTocEntry } from './toc-entry.js';

const NEWLINE = 0x0a;
const END_MARK = 'PostgreSQL database dump complete';
const RESTRICT = /^\\(un)?restrict ([A-Za-z0-9]+)\s*$/;
const SETVAL = /^SELECT pg_catalog\.setval\('((?:[^']|'')+)', (-?\d+), (true|false)\);$/;
const EXTENSION = /^CREATE EXTENSION IF NOT EXISTS ("(?:[^"]|"")+"|\S+)/;
const ENCODING = /^SET client_encoding = '([^']+)';$/;

const countRows = (bytes: Buffer): number => {
  let rows = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) rows += 1;
  return rows;
};

/** The key of a `\restrict` or `\unrestrict` line, as pg_dump writes them since 15.14; null for any other line. */
export function restrictLine(line: Buffer): { readonly lifts: boolean; readonly key: string } | null {
  const match = line.length < 200 ? RESTRICT.exec(line.toString('latin1')) : null;
  return match ? { lifts: match[1] === 'un', key: match[2] ?? '' } : null;
}

/** Collects the facts of a dump that a DumpScanner reads, and judges at the end whether it was whole. */
export class FactsCollector implements DumpHandler {
  private serverVersion: string | null = null;
  private toolVersion: string | null = null;
  private encoding: string | null = null;
  private readonly extensions = new Set<string>();
  private readonly roles = new Set<string>();
  private readonly tables: TableFacts[] = [];
  private readonly sequences: SequenceFacts[] = [];
  private readonly objects: SchemaObject[] = [];
  private readonly largeObjects = new LargeObjectStatements();
  private restrictedBy: string | null = null;
  private sawEnd = false;
  private current: CopyTarget | null = null;
  private rows = 0;
  private bytes = 0;

  line(line: Buffer, { lexed, offset }: LinePlace): void {
    if (lexed.metaAt < 0) return;
    const restrict = lexed.metaAt === 0 ? restrictLine(line) : null;
    if (!restrict || (restrict.lifts && restrict.key !== this.restrictedBy)) {
      throw new DumpFormError('The dump holds a psql command that pg_dump does not write.', offset);
    }
    this.restrictedBy = restrict.lifts ? null : restrict.key;
  }

  comment(text: string): void {
    if (text === END_MARK) this.sawEnd = true;
    else if (text.startsWith('Dumped from database version ')) this.serverVersion ??= text.slice(29);
    else if (text.startsWith('Dumped by pg_dump version ')) this.toolVersion ??= text.slice(26);
    const entry = parseTocEntry(text);
    if (entry === null || entry.type === 'TABLE DATA') return;
    this.objects.push({ type: entry.type, schema: entry.schema, name: entry.name });
  }

  statement(sql: string, complete: boolean): void {
    if (this.sawEnd) throw new DumpFormError('The dump goes on after its end mark.', 0);
    if (this.largeObjects.statement(sql) || !complete) return;
    const [, sequence, value, called] = SETVAL.exec(sql) ?? [];
    if (sequence !== undefined && value !== undefined) {
      this.sequences.push({ name: sequence.replaceAll("''", "'"), value, called: called === 'true' });
      return;
    }
    const extension = EXTENSION.exec(sql)?.[1];
    if (extension) this.extensions.add(extension.startsWith('"') ? extension.slice(1, -1).replaceAll('""', '"') : extension);
    this.encoding ??= ENCODING.exec(sql)?.[1] ?? null;
    for (const role of rolesOf(sql)) this.roles.add(role);
  }

  copyStart(target: CopyTarget): void {
    this.current = target;
    this.rows = 0;
    this.bytes = 0;
  }

  copyData(bytes: Buffer): void {
    this.rows += countRows(bytes);
    this.bytes += bytes.length;
  }

  copyEnd(): void {
    if (this.current) this.tables.push({ ...this.current, rows: this.rows, bytes: this.bytes });
    this.current = null;
  }

  /** Why the dump is not whole, or null when it is. Call it after DumpScanner.end(). */
  missing(): string | null {
    if (!this.sawEnd) return 'the end mark "-- PostgreSQL database dump complete" is missing';
    return this.restrictedBy === null ? null : 'the last line \\unrestrict is missing';
  }

  facts(): Omit<DumpFacts, 'database'> {
    return {
      engine: 'postgresql',
      dumpFormat: 'plain',
      serverVersion: this.serverVersion,
      toolVersion: this.toolVersion,
      encoding: this.encoding,
      extensions: [...this.extensions],
      roles: [...this.roles].sort(),
      largeObjects: this.largeObjects.totals(),
      tables: this.tables,
      sequences: this.sequences,
      objects: this.objects,
    };
  }
}
