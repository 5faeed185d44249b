import { createHash } from 'node:crypto';

const NEWLINE = 0x0a;

/**
 * Digest of a table's data in its order: SHA-256 of its COPY text as it stands. Far cheaper than RowDigest, where rows are expected in the order in
 * which they were written: a table that one session fills in the transaction that made it is written to its end only.
 */
export class TextDigest {
  private readonly hash = createHash('sha256');
  private count = 0;

  get rows(): number {
    return this.count;
  }

  /** Bytes of COPY text: whole and partial rows, cut anywhere. */
  push(bytes: Buffer): void {
    this.hash.update(bytes);
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) this.count += 1;
  }

  /** 64 hex digits, once: nothing may be added afterwards. */
  digest(): string {
    return this.hash.digest('hex');
  }
}
