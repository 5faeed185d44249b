import type { BackupSink } from '@rahatback/storage/agent';
import { CHUNKER_NAME } from '../chunker/fastcdc.js';
import type { DumpFacts } from '../dump/dump-facts.js';
import { encodeFrame } from '../frames/frame-codec.js';
import { EncryptedObject, type ObjectRecord } from '../volumes/encrypted-object.js';
import { INDEX_OBJECT, objectAssociatedData, type BackupContext } from '../volumes/object-context.js';
import { encodeRun, INDEX_FORMAT, type IndexEnd, type IndexRun } from './index-format.js';

/** Characters of lines per zstd frame. */
const BLOCK_CHARACTERS = 512 * 1024;
/** Compressed lines that are held back before the object is begun: most indexes are uploaded only after the data. */
const HELD_BYTES = 8 * 1024 * 1024;

/**
 * Writes the index while the dump runs: JSON lines, in zstd frames of whole lines, in one encrypted stream. Memory is bounded: an index that
 * outgrows 8 MiB is uploaded beside the data.
 */
export class IndexWriter {
  private lines: string[] = [];
  private characters = 0;
  private held: Buffer[] = [];
  private heldBytes = 0;
  private object: EncryptedObject | null = null;
  private chunks = 0;
  private bytes = 0;

  constructor(
    private readonly sink: BackupSink,
    private readonly key: Uint8Array,
    private readonly context: BackupContext,
    links: readonly string[],
  ) {
    this.add({ index: INDEX_FORMAT, backup: context.backupId, links, chunker: CHUNKER_NAME });
  }

  /** The next chunks of the dump. */
  async run(run: IndexRun): Promise<void> {
    this.chunks += run.chunks.length;
    for (const { length } of run.chunks) this.bytes += length;
    await this.addLine(encodeRun(run));
  }

  /** The dump's facts, its lists one line an entry. */
  async facts({ tables, sequences, objects, ...facts }: DumpFacts): Promise<void> {
    await this.addLine(JSON.stringify({ facts }));
    for (const table of tables) await this.addLine(JSON.stringify({ table }));
    for (const sequence of sequences) await this.addLine(JSON.stringify({ sequence }));
    for (const object of objects) await this.addLine(JSON.stringify({ object }));
  }

  /** Opens the index in the store, so that its end has not to wait for that. */
  async begin(): Promise<void> {
    await this.begun();
  }

  /** Ends and uploads the index. @returns its record, and what the last line says */
  async complete(dumpSha256: string): Promise<{ readonly record: ObjectRecord; readonly end: IndexEnd }> {
    const end: IndexEnd = { chunks: this.chunks, bytes: this.bytes, sha256: dumpSha256 };
    this.add({ end });
    await this.flushLines();
    const object = await this.begun();
    return { record: await object.complete(), end };
  }

  private add(value: object): void {
    this.lines.push(JSON.stringify(value));
  }

  private async addLine(line: string): Promise<void> {
    this.lines.push(line);
    this.characters += line.length;
    if (this.characters >= BLOCK_CHARACTERS) await this.flushLines();
  }

  private async flushLines(): Promise<void> {
    const block = await encodeFrame(Buffer.from(`${this.lines.join('\n')}\n`), 'zstd');
    this.lines = [];
    this.characters = 0;
    if (this.object) return this.object.write(block);
    this.held.push(block);
    this.heldBytes += block.length;
    if (this.heldBytes > HELD_BYTES) await this.begun();
  }

  private async begun(): Promise<EncryptedObject> {
    if (this.object) return this.object;
    const associatedData = objectAssociatedData(this.context, INDEX_OBJECT, 0);
    this.object = new EncryptedObject(INDEX_OBJECT, await this.sink.beginObject(INDEX_OBJECT), this.key, associatedData);
    for (const block of this.held) await this.object.write(block);
    this.held = [];
    return this.object;
  }
}
