import type { CommandState, JournalEntry } from '@rahatback/contracts';
import type { AgentHome } from '../state/agent-home.js';
import type { JsonObject } from '../state/json-shape.js';
import { JournalFile } from './journal-file.js';
import { asRecord, type ChildProcess, type JournalRecord, type ReceivedRecord, type RecordedResult } from './journal-record.js';
import { executes, isEnded, JournalState, type CommandEntry, type FenceMark } from './journal-state.js';

const COMPACT_ABOVE_BYTES = 4 * 1024 * 1024;
/** How long after its expiry a confirmed command's id is still remembered, so that a replayed frame is answered and not run. */
const REMEMBER_MS = 7 * 24 * 3_600_000;

/** What this agent has promised, done and still owes an answer for. Every method that records is durable when it resolves. */
export class CommandJournal {
  #compactAtBytes = COMPACT_ABOVE_BYTES;

  private constructor(
    private readonly file: JournalFile,
    private readonly state: JournalState,
    private readonly now: () => number,
  ) {}

  /** @throws AppError DATA_CORRUPT as `JournalFile.open` */
  static async open(home: AgentHome, now: () => number = Date.now): Promise<CommandJournal> {
    const { file, records } = await JournalFile.open(home.journalFile);
    const state = new JournalState();
    for (const value of records) {
      const record = asRecord(value);
      if (record !== undefined) state.apply(record);
    }
    return new CommandJournal(file, state, now);
  }

  get(id: string): CommandEntry | undefined {
    return this.state.entries.get(id);
  }

  fenceOf(resource: string): FenceMark {
    return this.state.fenceOf(resource);
  }

  /** Whether a cancel for this command came before the command itself. */
  isCancelled(id: string): boolean {
    return this.state.cancelled.has(id);
  }

  entries(): CommandEntry[] {
    return [...this.state.entries.values()];
  }

  /** Not confirmed by the server yet, in the order in which it gave them out. */
  open(): CommandEntry[] {
    return this.entries()
      .filter((entry) => !entry.confirmed)
      .sort((a, b) => a.sequence - b.sequence);
  }

  /** For `agent:journal`. */
  report(): JournalEntry[] {
    return this.open().map(({ id, type, state, resource, fence }) => ({ commandId: id, type, state, resource, fence }));
  }

  /**
   * Records a command that was verified; call it once per id. The fence counts from the call on, so that of two commands in one sync the older
   * is refused.
   */
  async received(record: ReceivedRecord): Promise<CommandEntry> {
    this.state.noteFence(record.resource, record.fence, executes(record));
    await this.#record(record);
    const entry = this.state.entries.get(record.id);
    if (entry === undefined) throw new RangeError(`No command ${record.id} in the journal.`);
    return entry;
  }

  running(id: string): Promise<void> {
    return this.#record({ kind: 'running', id });
  }

  child(id: string, process: ChildProcess): Promise<void> {
    return this.#record({ kind: 'process', id, process });
  }

  prepared(id: string, report: JsonObject): Promise<void> {
    return this.#record({ kind: 'prepared', id, report });
  }

  published(id: string, report: JsonObject): Promise<void> {
    return this.#record({ kind: 'published', id, report });
  }

  ended(id: string, state: CommandState, result: RecordedResult | null): Promise<void> {
    return this.#record({ kind: 'ended', id, state, result });
  }

  async confirmed(id: string): Promise<void> {
    await this.#record({ kind: 'confirmed', id });
    if (this.file.sizeBytes > this.#compactAtBytes) await this.compact();
  }

  /** Drops what is settled and old. May run at any time. */
  async compact(): Promise<void> {
    const isForgettable = (entry: CommandEntry): boolean =>
      entry.confirmed && isEnded(entry) && !(Date.parse(entry.expiresAt) + REMEMBER_MS > this.now());
    await this.file.compact(() => this.state.toRecords(isForgettable));
    for (const entry of this.entries()) if (isForgettable(entry)) this.state.entries.delete(entry.id);
    this.#compactAtBytes = Math.max(COMPACT_ABOVE_BYTES, 2 * this.file.sizeBytes);
  }

  close(): Promise<void> {
    return this.file.close();
  }

  #record(record: JournalRecord): Promise<void> {
    return this.file.append(record, () => this.state.apply(record));
  }
}
