import { createHash, type Hash } from 'node:crypto';
import type { LargeObjectFacts } from './dump-facts.js';
import { RowDigest } from './row-digest.js';

const OPEN = /^SELECT pg_catalog\.lo_open\('(\d+)', \d+\);$/;
const WRITE = /^SELECT pg_catalog\.lowrite\(0, '\\x([0-9a-f]*)'\);$/;
const CLOSE = 'SELECT pg_catalog.lo_close(0);';
const PREFIX = 'SELECT pg_catalog.lo';

/** What stands for one large object in a digest: `oid <tab> SHA-256 of its content, hex`. */
export const largeObjectRow = (oid: string, contentSha256: string): Buffer => Buffer.from(`${oid}\t${contentSha256}`);

/** Follows the statements with which a plain dump writes large objects. */
export class LargeObjectStatements {
  private count = 0;
  private bytes = 0;
  private open: { oid: string; content: Hash | null } | null = null;

  /** `digest` takes one row per object; without it contents are only counted. */
  constructor(private readonly digest: RowDigest | null = null) {}

  /** True when the statement is one of a large object's content. */
  statement(sql: string): boolean {
    if (!sql.startsWith(PREFIX)) return false;
    const hex = WRITE.exec(sql)?.[1];
    // Half a byte is nothing that pg_dump writes; the server refuses it.
    if (hex !== undefined && hex.length % 2 === 0) return this.write(hex);
    const oid = OPEN.exec(sql)?.[1];
    if (oid !== undefined) {
      this.open = { oid, content: this.digest ? createHash('sha256') : null };
      return true;
    }
    return sql === CLOSE && this.close();
  }

  totals(): LargeObjectFacts {
    return { count: this.count, bytes: this.bytes };
  }

  private write(hex: string): boolean {
    this.bytes += hex.length / 2;
    this.open?.content?.update(hex, 'hex');
    return true;
  }

  private close(): boolean {
    this.count += 1;
    if (this.open?.content) this.digest?.add(largeObjectRow(this.open.oid, this.open.content.digest('hex')));
    this.open = null;
    return true;
  }
}
