import type { CopyTarget } from './copy-target.js';
import type { DumpHandler } from './dump-scanner.js';
import { LargeObjectStatements } from './large-objects.js';
import { RowDigest } from './row-digest.js';
import { TextDigest } from './text-digest.js';

/** `rows`: order-free (RowDigest). `text`: of the whole COPY text in its order (TextDigest); equal texts are equal rows, differing ones may still be. */
export type DigestForm = 'rows' | 'text';

/** One table's data as it was read: from the dump stream or from a restored database. */
export interface TableDigest {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly form: DigestForm;
  readonly digest: string;
}

/** Stands for all large objects of a database in a list of table digests. */
export const LARGE_OBJECTS = { schema: 'pg_catalog', table: 'pg_largeobject' } as const;

/** Digests every table of a dump that a DumpScanner reads. */
export class DigestCollector implements DumpHandler {
  private readonly tables: TableDigest[] = [];
  private readonly largeObjectRows = new RowDigest();
  private readonly largeObjects = new LargeObjectStatements(this.largeObjectRows);
  private current: { target: CopyTarget; rows: RowDigest | TextDigest } | null = null;

  /** @param wants which tables are digested; the others are passed over */
  constructor(
    private readonly wants: (target: CopyTarget) => boolean = () => true,
    private readonly form: DigestForm = 'rows',
  ) {}

  statement(sql: string): void {
    this.largeObjects.statement(sql);
  }

  copyStart(target: CopyTarget): void {
    if (this.wants(target)) this.current = { target, rows: this.form === 'text' ? new TextDigest() : new RowDigest() };
  }

  copyData(bytes: Buffer): void {
    this.current?.rows.push(bytes);
  }

  copyEnd(): void {
    if (this.current) {
      const { target, rows } = this.current;
      this.tables.push({ ...target, rows: rows.rows, form: this.form, digest: rows.digest() });
    }
    this.current = null;
  }

  /** Call it after DumpScanner.end(). Large objects come last, only when there are any. */
  digests(): TableDigest[] {
    if (this.largeObjects.totals().count === 0) return [...this.tables];
    return [
      ...this.tables,
      { ...LARGE_OBJECTS, columns: [], rows: this.largeObjectRows.rows, form: 'rows', digest: this.largeObjectRows.digest() },
    ];
  }
}
