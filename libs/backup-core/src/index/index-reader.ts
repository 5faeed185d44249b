import { AppError } from '@rahatback/contracts';
import { promisify } from 'node:util';
import { zstdDecompress, type ZstdOptions } from 'node:zlib';
import { zstdFrameLength } from '../frames/zstd-frame.js';
import type { DumpFacts, SchemaObject, SequenceFacts, TableFacts } from '../dump/dump-facts.js';
import { parseEnd, parseHeader, parseRun, type IndexEnd, type IndexHeader, type IndexRun } from './index-format.js';

const decompress = promisify<Buffer, ZstdOptions, Buffer>(zstdDecompress);
/** A block of lines, stored or plain, is never larger; a line of facts may be long. */
const MAX_BLOCK_BYTES = 256 * 1024 * 1024;
const NEWLINE = 0x0a;

export type IndexLine =
  | { readonly kind: 'header'; readonly header: IndexHeader }
  | { readonly kind: 'run'; readonly run: IndexRun }
  | { readonly kind: 'facts'; readonly part: Partial<Record<'facts' | 'table' | 'sequence' | 'object', unknown>> }
  | { readonly kind: 'end'; readonly end: IndexEnd };

const corrupt = (what: string): AppError => new AppError('DATA_CORRUPT', `The index ${what}. Use another copy of this backup.`);

/** Splits zstd frames out of a stream and decodes each by itself. */
async function* readBlocks(plaintext: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const bytes of plaintext) {
    pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
    for (let length = zstdFrameLength(pending); length !== null; length = zstdFrameLength(pending)) {
      yield await decompress(pending.subarray(0, length), { maxOutputLength: MAX_BLOCK_BYTES }).catch((cause: unknown) => {
        throw new AppError('DATA_CORRUPT', 'The index does not decompress. Use another copy of this backup.', undefined, {
          cause,
        });
      });
      pending = pending.subarray(length);
    }
    if (pending.length > MAX_BLOCK_BYTES) throw corrupt('holds a block that is too large');
  }
  if (pending.length > 0) throw corrupt('ends inside of a block');
}

/** One at a time: a block of nothing but line ends is small when it is stored, and its lines all together would be gigabytes. */
function* linesOf(block: Buffer): Generator<string> {
  for (let from = 0; from < block.length;) {
    if (block[from] === NEWLINE) {
      from += 1;
      continue;
    }
    const newline = block.indexOf(NEWLINE, from);
    const end = newline < 0 ? block.length : newline;
    yield block.toString('utf8', from, end);
    from = end + 1;
  }
}

function parseLine(text: string, links: number, lineNumber: number): IndexLine {
  const line = JSON.parse(text) as Record<string, unknown>;
  if (lineNumber === 1) return { kind: 'header', header: parseHeader(line) };
  if ('c' in line) return { kind: 'run', run: parseRun(line, links, lineNumber) };
  if ('end' in line) return { kind: 'end', end: parseEnd(line.end, lineNumber) };
  return { kind: 'facts', part: line };
}

/**
 * Reads the decrypted index line by line and checks that it is whole: header first, end last, sums equal.
 * @throws AppError DATA_CORRUPT, FORMAT_UNSUPPORTED
 */
export async function* readIndex(plaintext: AsyncIterable<Buffer>): AsyncGenerator<IndexLine> {
  let lineNumber = 0;
  let links = 0;
  let chunks = 0;
  let bytes = 0;
  let end: IndexEnd | null = null;
  for await (const block of readBlocks(plaintext)) {
    for (const text of linesOf(block)) {
      lineNumber += 1;
      if (end) throw corrupt('goes on after its end');
      const line = parseOrThrow(text, links, lineNumber);
      if (line.kind === 'header') links = line.header.links.length;
      if (line.kind === 'end') end = line.end;
      if (line.kind === 'run') {
        chunks += line.run.chunks.length;
        for (const { length } of line.run.chunks) bytes += length;
      }
      yield line;
    }
  }
  if (!end) throw corrupt('has no end');
  if (end.chunks !== chunks || end.bytes !== bytes) throw corrupt('does not add up');
}

function parseOrThrow(text: string, links: number, lineNumber: number): IndexLine {
  try {
    return parseLine(text, links, lineNumber);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw corrupt(`has no JSON in line ${lineNumber}`);
  }
}

/** Puts the lines of facts together again. */
export class FactsAssembler {
  private head: Record<string, unknown> | null = null;
  private readonly tables: TableFacts[] = [];
  private readonly sequences: SequenceFacts[] = [];
  private readonly objects: SchemaObject[] = [];

  /** Unknown parts, which a later writer may add, are ignored. */
  add(part: Partial<Record<'facts' | 'table' | 'sequence' | 'object', unknown>>): void {
    if (part.facts) this.head = part.facts as Record<string, unknown>;
    if (part.table) this.tables.push(part.table as TableFacts);
    if (part.sequence) this.sequences.push(part.sequence as SequenceFacts);
    if (part.object) this.objects.push(part.object as SchemaObject);
  }

  /** @throws AppError DATA_CORRUPT when the index has no facts */
  facts(): DumpFacts {
    if (!this.head) throw corrupt('holds no facts');
    return {
      ...(this.head as Omit<DumpFacts, 'tables' | 'sequences' | 'objects'>),
      tables: this.tables,
      sequences: this.sequences,
      objects: this.objects,
    };
  }
}
