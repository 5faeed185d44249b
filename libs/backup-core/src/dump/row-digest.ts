import { createHash, hash, type Hash } from 'node:crypto';

/** Named in facts and reports. SHA-256 was chosen by measurement: docs/adr/0002. */
export const ROW_DIGEST = 'sum128(sha256-128(row))';

const NEWLINE = 0x0a;
/** A longer row is hashed as it comes, so that a row of 50 MB costs no memory. */
const HELD_ROW_BYTES = 256 * 1024;
const LANE = 2 ** 32;
/** Lanes are exact doubles: 2^53 / 2^32 rows may be summed before a carry is needed. */
const ROWS_BEFORE_CARRY = 2 ** 20;

/**
 * Order-free digest of a table's data: the number of rows, and the sum modulo 2^128 of the first 16 bytes (big-endian) of the SHA-256 of each
 * row's bytes as COPY writes them in text format, without the line end. Equal tables give equal digests in any row order. It tells a bad restore
 * from a good one; it is no proof against somebody who may choose the rows.
 */
export class RowDigest {
  private count = 0;
  private readonly lanes = new Float64Array(4);
  private partial: Buffer[] = [];
  private partialBytes = 0;
  private long: Hash | null = null;

  get rows(): number {
    return this.count;
  }

  /** Bytes of COPY text: whole and partial rows, cut anywhere. */
  push(bytes: Buffer): void {
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      this.sum(this.hashOf(bytes.subarray(from, end)));
      from = end + 1;
    }
    if (from < bytes.length) this.hold(bytes.subarray(from));
  }

  /** One row, without its line end. */
  add(row: Buffer): void {
    // A string result is four times faster than a Buffer for rows of this size.
    this.sum(hash('sha256', row, 'binary'));
  }

  private sum(sum: string): void {
    const { lanes } = this;
    for (let lane = 0, at = 0; lane < 4; lane += 1, at += 4) {
      const word =
        ((sum.charCodeAt(at) << 24) | (sum.charCodeAt(at + 1) << 16) | (sum.charCodeAt(at + 2) << 8) | sum.charCodeAt(at + 3)) >>>
        0;
      lanes[lane] = (lanes[lane] as number) + word;
    }
    this.count += 1;
    if (this.count % ROWS_BEFORE_CARRY === 0) this.carry();
  }

  /** 32 hex digits. More rows may be added afterwards. */
  digest(): string {
    this.carry();
    return Array.from(this.lanes, (lane) => lane.toString(16).padStart(8, '0')).join('');
  }

  private hold(bytes: Buffer): void {
    if (this.long) {
      this.long.update(bytes);
      return;
    }
    this.partial.push(Buffer.from(bytes));
    this.partialBytes += bytes.length;
    if (this.partialBytes < HELD_ROW_BYTES) return;
    this.long = createHash('sha256');
    for (const piece of this.partial) this.long.update(piece);
    this.forget();
  }

  /** The hash of the row that ends with `end`. */
  private hashOf(end: Buffer): string {
    if (this.long) {
      const sum = this.long.update(end).digest('binary');
      this.long = null;
      return sum;
    }
    if (this.partial.length === 0) return hash('sha256', end, 'binary');
    const row = Buffer.concat([...this.partial, end]);
    this.forget();
    return hash('sha256', row, 'binary');
  }

  private forget(): void {
    this.partial = [];
    this.partialBytes = 0;
  }

  private carry(): void {
    let carried = 0;
    for (let lane = 3; lane >= 0; lane -= 1) {
      const sum = (this.lanes[lane] as number) + carried;
      carried = Math.floor(sum / LANE);
      this.lanes[lane] = sum - carried * LANE;
    }
  }
}
