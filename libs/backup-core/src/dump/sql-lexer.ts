const NEWLINE = 0x0a;
const QUOTE = 0x27;
const DOUBLE_QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DOLLAR = 0x24;
const DASH = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;
const SEMICOLON = 0x3b;
const OPEN = 0x28;
const CLOSE = 0x29;
const COLON = 0x3a;
const BRACE = 0x7b;

/** What psql would be inside of at this place. */
type LexerMode =
  | { readonly kind: 'sql' }
  | { readonly kind: 'string'; readonly escapes: boolean }
  | { readonly kind: 'identifier' }
  | { readonly kind: 'dollar'; readonly tag: Buffer }
  | { readonly kind: 'comment'; depth: number };

const SQL: LexerMode = { kind: 'sql' };
const WORD = Uint8Array.from({ length: 256 }, (_, byte) =>
  (byte >= 0x30 && byte <= 0x39) ||
  (byte >= 0x41 && byte <= 0x5a) ||
  (byte >= 0x61 && byte <= 0x7a) ||
  byte === 0x5f ||
  byte >= 0x80
    ? 1
    : 0,
);
const isWord = (byte: number | undefined): boolean => byte !== undefined && WORD[byte] === 1;
const beginsVariable = (byte: number | undefined): boolean =>
  isWord(byte) || byte === QUOTE || byte === DOUBLE_QUOTE || byte === BRACE;
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

export interface LexedLine {
  /** Offsets in the line, one past each `;` that ends a statement. */
  readonly statementEnds: readonly number[];
  /** Offset of the first `-- comment` outside of everything else, or -1. */
  readonly commentAt: number;
  /** Offset of a backslash that psql would take for a meta-command, or -1. */
  readonly metaAt: number;
  /** Offsets, one past each `:` that psql would take for the beginning of a variable, as in the array slice `[1:"HOST"]`. */
  readonly variablesAt: readonly number[];
}

/**
 * Follows SQL text line by line as psql does (its psqlscan.l, with standard_conforming_strings on), to know where statements end and what is
 * only text: strings, E'' strings, quoted identifiers, dollar quotes, nested comments, parentheses, and BEGIN ATOMIC bodies.
 */
export class SqlLexer {
  private mode: LexerMode = SQL;
  private parens = 0;
  private words: string[] = [];
  private atomicDepth = 0;

  /** True between statements: a line that begins here is not inside of a string, comment or statement body. */
  get outside(): boolean {
    return this.mode.kind === 'sql';
  }

  lex(line: Buffer): LexedLine {
    const statementEnds: number[] = [];
    const variablesAt: number[] = [];
    let commentAt = -1;
    let at = 0;
    while (at < line.length) {
      if (this.mode.kind !== 'sql') {
        at = this.leaveQuote(line, at);
        continue;
      }
      const byte = line[at] as number;
      if (byte === BACKSLASH) return { statementEnds, commentAt, metaAt: at, variablesAt };
      if (byte === DASH && line[at + 1] === DASH) {
        commentAt = at;
        break;
      }
      if (byte === SEMICOLON && this.parens <= 0 && this.atomicDepth === 0) {
        statementEnds.push(at + 1);
        this.resetStatement();
      }
      if (byte === COLON && beginsVariable(line[at + 1])) variablesAt.push(at + 1);
      at = this.step(line, at, byte);
    }
    return { statementEnds, commentAt, metaAt: -1, variablesAt };
  }

  private resetStatement(): void {
    this.parens = 0;
    this.words = [];
    this.atomicDepth = 0;
  }

  /** One token, or one byte, of plain SQL. Answers where the next begins. */
  private step(line: Buffer, at: number, byte: number): number {
    switch (byte) {
      case QUOTE:
        this.mode = { kind: 'string', escapes: false };
        return at + 1;
      case DOUBLE_QUOTE:
        this.mode = { kind: 'identifier' };
        return at + 1;
      case DOLLAR:
        return this.enterDollar(line, at);
      case SLASH:
        if (line[at + 1] !== STAR) return at + 1;
        this.mode = { kind: 'comment', depth: 1 };
        return at + 2;
      case OPEN:
        this.parens += 1;
        return at + 1;
      case CLOSE:
        this.parens -= 1;
        return at + 1;
      case COLON:
        // A type cast.
        return line[at + 1] === COLON ? at + 2 : at + 1;
      default:
        return isWord(byte) ? this.word(line, at) : at + 1;
    }
  }

  private word(line: Buffer, at: number): number {
    let end = at + 1;
    while (end < line.length && (isWord(line[end]) || line[end] === DOLLAR)) end += 1;
    if (end - at === 1 && line[end] === QUOTE && ((line[at] as number) | 0x20) === 0x65) {
      this.mode = { kind: 'string', escapes: true };
      return end + 1;
    }
    if (!isDigit(line[at] as number)) this.countAtomic(line.toString('latin1', at, Math.min(end, at + 16)).toLowerCase());
    return end;
  }

  /** psql's own rule for SQL-standard function bodies: BEGIN and CASE open, END closes, only in CREATE FUNCTION or PROCEDURE. */
  private countAtomic(word: string): void {
    if (this.words.length < 4) this.words.push(word);
    const [first, second, third, fourth] = this.words;
    if (first !== 'create' || this.parens > 0) return;
    const kind = second === 'or' && third === 'replace' ? fourth : second;
    if (kind !== 'function' && kind !== 'procedure') return;
    if (word === 'begin' || (word === 'case' && this.atomicDepth > 0)) this.atomicDepth += 1;
    else if (word === 'end' && this.atomicDepth > 0) this.atomicDepth -= 1;
  }

  private enterDollar(line: Buffer, at: number): number {
    let end = at + 1;
    if (line[end] !== DOLLAR && (!isWord(line[end]) || isDigit(line[end] as number))) return end;
    while (isWord(line[end])) end += 1;
    if (line[end] !== DOLLAR) return at + 1;
    this.mode = { kind: 'dollar', tag: Buffer.from(line.subarray(at, end + 1)) };
    return end + 1;
  }

  private leaveQuote(line: Buffer, at: number): number {
    switch (this.mode.kind) {
      case 'sql':
        return at;
      case 'dollar':
        return this.leaveAt(line.indexOf(this.mode.tag, at), this.mode.tag.length, line);
      case 'identifier':
        return this.leaveAt(line.indexOf(DOUBLE_QUOTE, at), 1, line);
      case 'string':
        return this.leaveAt(this.mode.escapes ? endOfEscaped(line, at) : line.indexOf(QUOTE, at), 1, line);
      case 'comment':
        return this.comment(line, at, this.mode);
    }
  }

  private leaveAt(end: number, length: number, line: Buffer): number {
    if (end < 0) return line.length;
    this.mode = SQL;
    return end + length;
  }

  private comment(line: Buffer, from: number, mode: { depth: number }): number {
    for (let at = from; at < line.length; at += 1) {
      if (line[at] === SLASH && line[at + 1] === STAR) mode.depth += 1;
      else if (line[at] === STAR && line[at + 1] === SLASH) mode.depth -= 1;
      else continue;
      at += 1;
      if (mode.depth > 0) continue;
      this.mode = SQL;
      return at + 1;
    }
    return line.length;
  }
}

/** In E'' a backslash hides the next byte. */
function endOfEscaped(line: Buffer, from: number): number {
  for (let at = from; at < line.length; at += 1) {
    if (line[at] === BACKSLASH) at += 1;
    else if (line[at] === QUOTE) return at;
  }
  return -1;
}

export { NEWLINE };
