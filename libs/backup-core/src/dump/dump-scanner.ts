import { parseCopy, type CopyTarget } from './copy-target.js';
import { NEWLINE, SqlLexer, type LexedLine } from './sql-lexer.js';
import { decoderFor } from './text-encoding.js';

const END_OF_COPY = Buffer.from('\\.\n');
const ENCODING = /^SET client_encoding = '([^']+)';$/;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
/** Longest text line outside of table data: PostgreSQL's own limit for one value, doubled by hex. */
const MAX_LINE_BYTES = 1024 * 1024 * 1024;
/** A statement, and a comment, is kept up to here; longer ones are function bodies and the like, of which only the beginning matters. */
const MAX_STATEMENT_BYTES = 1024 * 1024;

/** What a dump is made of, in its order. Every method is optional; buffers are only valid during the call. */
export interface DumpHandler {
  /** A whole line outside of table data, line end included, with what psql would see in it. Before `statement` and `comment` of that line. */
  line?(line: Buffer, at: LinePlace): void;
  /** `-- text`, only where a line begins with it outside of everything else. */
  comment?(text: string): void;
  /** A statement with its `;`, cut at 1 MiB (`complete` is false then). */
  statement?(sql: string, complete: boolean): void;
  copyStart?(target: CopyTarget): void;
  /** Whole or partial rows of the current table, as they stand in the dump. */
  copyData?(bytes: Buffer): void;
  copyEnd?(): void;
}

export interface LinePlace {
  /** Counts from 1, rows of table data included only if a handler counts them itself. */
  readonly offset: number;
  /** No statement was open when the line began, and none is open after it. */
  readonly whole: boolean;
  readonly lexed: LexedLine;
}

/** The dump does not have the form that pg_dump writes. `offset` counts bytes from its start. */
export class DumpFormError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
    this.name = 'DumpFormError';
  }
}

/**
 * Reads a plain pg_dump as it streams by: SQL text is followed line by line as psql would, table data is only searched for its end. Runs
 * at memory speed on table data; memory is one line of text.
 */
export class DumpScanner {
  private readonly lexer = new SqlLexer();
  private offset = 0;
  private inCopy = false;
  private held: Buffer[] = [];
  private heldBytes = 0;
  private statement: Buffer[] = [];
  private statementBytes = 0;
  private hasSql = false;
  private atRowStart = true;
  private decoder = decoderFor('UTF8');

  constructor(private readonly handlers: readonly DumpHandler[]) {}

  /** Bytes that the handlers have seen. */
  get position(): number {
    return this.offset;
  }

  /** @throws DumpFormError, and what a handler throws */
  push(input: Buffer): void {
    let rest = input;
    while (rest.length > 0) rest = this.inCopy ? this.scanCopy(rest) : this.scanLine(rest);
  }

  /** @throws DumpFormError when the dump ends inside of something */
  end(): void {
    if (this.inCopy) throw new DumpFormError('The dump ends inside of table data.', this.offset);
    if (this.heldBytes > 0) this.takeLine(this.unhold(Buffer.alloc(0)));
    if (!this.lexer.outside || this.hasSql) throw new DumpFormError('The dump ends inside of a statement.', this.offset);
  }

  private hold(bytes: Buffer): void {
    this.heldBytes += bytes.length;
    if (this.heldBytes > MAX_LINE_BYTES) throw new DumpFormError('A line of the dump is longer than 1 GiB.', this.offset);
    this.held.push(Buffer.from(bytes));
  }

  private unhold(bytes: Buffer): Buffer {
    if (this.heldBytes === 0) return bytes;
    const joined = Buffer.concat([...this.held, bytes]);
    this.held = [];
    this.heldBytes = 0;
    return joined;
  }

  private scanLine(input: Buffer): Buffer {
    const end = input.indexOf(NEWLINE) + 1;
    if (end === 0) {
      this.hold(input);
      return input.subarray(input.length);
    }
    this.takeLine(this.unhold(input.subarray(0, end)));
    return input.subarray(end);
  }

  private takeLine(line: Buffer): void {
    const whole = !this.hasSql && this.lexer.outside;
    const lexed = this.lexer.lex(line);
    const statements = this.collect(line, lexed);
    const place = { offset: this.offset, whole: whole && !this.hasSql && this.lexer.outside, lexed };
    for (const handler of this.handlers) handler.line?.(line, place);
    this.offset += line.length;
    if (whole && lexed.commentAt === 0) this.emitComment(line);
    for (const { sql, complete } of statements) this.emitStatement(sql, complete);
  }

  /** Adds the line to the open statement and answers the statements that it completes. */
  private collect(line: Buffer, lexed: LexedLine): { sql: string; complete: boolean }[] {
    const done: { sql: string; complete: boolean }[] = [];
    const sqlEnd = [lexed.commentAt, lexed.metaAt].reduce((end, at) => (at >= 0 ? Math.min(end, at) : end), line.length);
    let from = 0;
    for (const to of lexed.statementEnds) {
      this.keep(line.subarray(from, to));
      const sql = withoutLeadingComments(this.decoder.decode(Buffer.concat(this.statement))).trim();
      done.push({ sql, complete: this.statementBytes <= MAX_STATEMENT_BYTES });
      this.statement = [];
      this.statementBytes = 0;
      this.hasSql = false;
      from = to;
    }
    this.keep(line.subarray(from, sqlEnd));
    return done;
  }

  private keep(piece: Buffer): void {
    if (!this.hasSql && isBlank(piece)) return;
    this.hasSql = true;
    if (this.statementBytes <= MAX_STATEMENT_BYTES) this.statement.push(Buffer.from(piece.subarray(0, MAX_STATEMENT_BYTES)));
    this.statementBytes += piece.length;
  }

  private emitComment(line: Buffer): void {
    const text = this.decoder.decode(line.subarray(2, MAX_STATEMENT_BYTES)).trim();
    for (const handler of this.handlers) handler.comment?.(text);
  }

  private emitStatement(sql: string, complete: boolean): void {
    const encoding = ENCODING.exec(sql)?.[1];
    if (encoding !== undefined) this.decoder = decoderFor(encoding);
    for (const handler of this.handlers) handler.statement?.(sql, complete);
    if (!/^copy\s/i.test(sql) || !/\sfrom\s+stdin\b/i.test(sql)) return;
    const target = parseCopy(sql);
    if (!target || this.inCopy) throw new DumpFormError('A COPY statement has a form that pg_dump does not write.', this.offset);
    for (const handler of this.handlers) handler.copyStart?.(target);
    this.inCopy = true;
    this.atRowStart = true;
  }

  private scanCopy(input: Buffer): Buffer {
    const bytes = this.unhold(input);
    const end = this.findEndOfCopy(bytes);
    if (end >= 0) {
      this.emitRows(bytes.subarray(0, end));
      for (const handler of this.handlers) handler.copyEnd?.();
      this.offset += END_OF_COPY.length;
      this.inCopy = false;
      return bytes.subarray(end + END_OF_COPY.length);
    }
    const tail = this.possibleEnd(bytes);
    this.emitRows(bytes.subarray(0, bytes.length - tail));
    if (tail > 0) this.hold(bytes.subarray(bytes.length - tail));
    return bytes.subarray(bytes.length);
  }

  private findEndOfCopy(bytes: Buffer): number {
    for (let at = bytes.indexOf(END_OF_COPY); at >= 0; at = bytes.indexOf(END_OF_COPY, at + 1)) {
      if (at === 0 ? this.atRowStart : bytes[at - 1] === NEWLINE) return at;
    }
    return -1;
  }

  /** Length of a beginning of the end mark at the end of `bytes`. */
  private possibleEnd(bytes: Buffer): number {
    const last = bytes.length - 1;
    const tail = bytes[last] === BACKSLASH ? 1 : bytes[last] === DOT && bytes[last - 1] === BACKSLASH ? 2 : 0;
    if (tail === 0) return 0;
    const before = bytes.length - tail;
    return (before === 0 ? this.atRowStart : bytes[before - 1] === NEWLINE) ? tail : 0;
  }

  private emitRows(rows: Buffer): void {
    if (rows.length === 0) return;
    for (const handler of this.handlers) handler.copyData?.(rows);
    this.offset += rows.length;
    this.atRowStart = rows[rows.length - 1] === NEWLINE;
  }
}

const isBlank = (bytes: Buffer): boolean => {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false;
  return true;
};

/** Block comments nest in SQL. */
function withoutLeadingComments(sql: string): string {
  let rest = sql.trimStart();
  while (rest.startsWith('/*')) {
    let depth = 0;
    let at = 0;
    do {
      const mark = rest.slice(at, at + 2);
      if (mark === '/*') depth += 1;
      else if (mark === '*/') depth -= 1;
      at += mark === '/*' || mark === '*/' ? 2 : 1;
    } while (depth > 0 && at < rest.length);
    rest = rest.slice(at).trimStart();
  }
  return rest;
}
