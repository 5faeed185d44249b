import type { CommandState, CommandType, SignedCommand } from '@rahatback/contracts';
import { TERMINAL_COMMAND_STATES } from '@rahatback/contracts';
import type { JsonObject } from '../state/json-shape.js';
import type { ChildProcess, JournalRecord, ReceivedRecord, RecordedResult } from './journal-record.js';

export interface CommandEntry {
  readonly id: string;
  readonly type: CommandType;
  readonly resource: string;
  readonly fence: number;
  readonly sequence: number;
  readonly expiresAt: string;
  readonly target: string | null;
  readonly state: CommandState;
  readonly command: SignedCommand | null;
  readonly processes: readonly ChildProcess[];
  readonly published: JsonObject | null;
  readonly prepared: JsonObject | null;
  readonly result: RecordedResult | null;
  readonly confirmed: boolean;
}

export interface FenceMark {
  /** Below this everything is refused. */
  readonly highest: number;
  /** The highest fence that was executed: an execution needs a higher one, which outlives any forgotten command id. */
  readonly executed: number;
}

const NO_FENCE: FenceMark = { highest: -1, executed: -1 };
/** What changes a database or files: once for each fence, and never two on one resource. */
const EXECUTIONS: readonly CommandType[] = [
  'job:execute',
  'restore:execute',
  'restore:swap',
  'restore:undo',
  'restore:discard',
  'verification:execute',
  'backup:delete',
  'backup:export',
];
/** What may be run again from the start whatever it had done before the agent died: it looks first at how things stand. */
const REPEATABLE: readonly CommandType[] = ['restore:swap', 'restore:undo', 'restore:discard', 'backup:delete'];
export const isRepeatable = (type: CommandType): boolean => REPEATABLE.includes(type);
export const isExecution = (type: CommandType): boolean => EXECUTIONS.includes(type);
export const isEnded = (entry: CommandEntry): boolean => TERMINAL_COMMAND_STATES.includes(entry.state);

const newEntry = (record: ReceivedRecord): CommandEntry => ({
  id: record.id,
  type: record.type,
  resource: record.resource,
  fence: record.fence,
  sequence: record.sequence,
  expiresAt: record.expiresAt,
  target: record.target,
  state: 'accepted',
  command: record.command,
  processes: [],
  published: null,
  prepared: null,
  result: null,
  confirmed: false,
});

/** A refused command is recorded without its frame; it marks its fence as seen, but not as executed. */
export const executes = (record: ReceivedRecord): boolean => isExecution(record.type) && record.command !== null;

type EntryRecord = Exclude<JournalRecord, ReceivedRecord | { kind: 'fence' }>;

/** A record may come twice (a compaction that overlapped it): each step leads forward only, so the second time changes nothing. */
function advance(entry: CommandEntry, record: EntryRecord): CommandEntry {
  switch (record.kind) {
    case 'running':
      return isEnded(entry) ? entry : { ...entry, state: 'running' };
    case 'process': {
      const known = entry.processes.some(
        ({ pid, startTicks }) => pid === record.process.pid && startTicks === record.process.startTicks,
      );
      return known || isEnded(entry) ? entry : { ...entry, processes: [...entry.processes, record.process] };
    }
    case 'published':
      return isEnded(entry) ? entry : { ...entry, published: record.report };
    case 'prepared':
      return isEnded(entry) ? entry : { ...entry, prepared: record.report };
    case 'ended':
      if (isEnded(entry)) return entry;
      return {
        ...entry,
        state: record.state,
        result: record.result,
        command: null,
        processes: [],
        published: null,
        prepared: null,
      };
    case 'confirmed':
      return { ...entry, confirmed: true, result: null };
  }
}

/** What the journal's records add up to. Pure; knows nothing of files. */
export class JournalState {
  readonly entries = new Map<string, CommandEntry>();
  /** Ids that a cancel named, whether or not they came. */
  readonly cancelled = new Set<string>();
  readonly #fences = new Map<string, FenceMark>();

  fenceOf(resource: string): FenceMark {
    return this.#fences.get(resource) ?? NO_FENCE;
  }

  noteFence(resource: string, fence: number, executes: boolean): void {
    const { highest, executed } = this.fenceOf(resource);
    this.#fences.set(resource, {
      highest: Math.max(highest, fence),
      executed: executes ? Math.max(executed, fence) : executed,
    });
  }

  apply(record: JournalRecord): void {
    if (record.kind === 'fence') {
      this.noteFence(record.resource, record.highest, false);
      this.noteFence(record.resource, record.executed, true);
      return;
    }
    if (record.kind === 'received') {
      if (!this.entries.has(record.id)) this.entries.set(record.id, newEntry(record));
      this.noteFence(record.resource, record.fence, executes(record));
      if (record.target !== null) this.cancelled.add(record.target);
      return;
    }
    const entry = this.entries.get(record.id);
    if (entry !== undefined) this.entries.set(record.id, advance(entry, record));
  }

  /** The records that rebuild this state, without entries that `isForgettable`. */
  toRecords(isForgettable: (entry: CommandEntry) => boolean): JournalRecord[] {
    const records: JournalRecord[] = [];
    for (const [resource, mark] of this.#fences) records.push({ kind: 'fence', resource, ...mark });
    for (const entry of this.entries.values()) {
      if (isForgettable(entry)) continue;
      records.push(...recordsOf(entry));
    }
    return records;
  }
}

function* recordsOf(entry: CommandEntry): Generator<JournalRecord> {
  const { id, type, resource, fence, sequence, expiresAt, command, target } = entry;
  yield { kind: 'received', id, type, resource, fence, sequence, expiresAt, command, target };
  if (entry.state === 'running') yield { kind: 'running', id };
  for (const process of entry.processes) yield { kind: 'process', id, process };
  if (entry.published !== null) yield { kind: 'published', id, report: entry.published };
  if (entry.prepared !== null) yield { kind: 'prepared', id, report: entry.prepared };
  if (isEnded(entry)) yield { kind: 'ended', id, state: entry.state, result: entry.result };
  if (entry.confirmed) yield { kind: 'confirmed', id };
}
