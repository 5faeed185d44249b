import type { CommandState, CommandType, SignedCommand } from '@rahatback/contracts';
import { COMMAND_STATES, COMMAND_TYPES } from '@rahatback/contracts';
import { isObject, type JsonObject } from '../state/json-shape.js';

/** A child process, told from a later one with the same number by its start time. */
export interface ChildProcess {
  readonly pid: number;
  /** Null where the system has none; such a child is not killed later, since its number may be somebody else's. */
  readonly startTicks: string | null;
}

/** Events that end a command; the server confirms each. */
export const RESULT_EVENTS = [
  'database:test:result',
  'backup:completed',
  'backup:failed',
  'restore:completed',
  'restore:failed',
  'restore:preflight:result',
  'restore:swap:result',
  'restore:undo:result',
  'restore:discard:result',
  'verification:completed',
  'verification:failed',
  'keys:rewrap:result',
  'backup:delete:result',
  'backup:export:result',
  'command:refused',
] as const;
export type ResultEvent = (typeof RESULT_EVENTS)[number];

export interface RecordedResult {
  readonly event: ResultEvent;
  readonly message: JsonObject;
}

export interface ReceivedRecord {
  readonly kind: 'received';
  readonly id: string;
  readonly type: CommandType;
  readonly resource: string;
  readonly fence: number;
  readonly sequence: number;
  readonly expiresAt: string;
  /** As it came, so that a restart can check the signature again; dropped when the command has ended. Its secrets are sealed. */
  readonly command: SignedCommand | null;
  /** The command that a cancel is about. */
  readonly target: string | null;
}

export type JournalRecord =
  | ReceivedRecord
  | { readonly kind: 'running'; readonly id: string }
  | { readonly kind: 'process'; readonly id: string; readonly process: ChildProcess }
  /** The manifest is in the storage and the server has taken it: from here on the backup exists, whatever happens to this process. */
  | { readonly kind: 'published'; readonly id: string; readonly report: JsonObject }
  /** A restore is compared and about to get its name: if the database is there after a crash, this is its result. */
  | { readonly kind: 'prepared'; readonly id: string; readonly report: JsonObject }
  /** `result` is null when nobody waits for one (a cancel). */
  | { readonly kind: 'ended'; readonly id: string; readonly state: CommandState; readonly result: RecordedResult | null }
  | { readonly kind: 'confirmed'; readonly id: string }
  | { readonly kind: 'fence'; readonly resource: string; readonly highest: number; readonly executed: number };

const isText = (value: unknown): value is string => typeof value === 'string';
const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value);

const isChild = (value: unknown): boolean =>
  isObject(value) && isCount(value.pid) && (value.startTicks === null || isText(value.startTicks));
const isResult = (value: unknown): boolean =>
  value === null || (isObject(value) && RESULT_EVENTS.some((event) => event === value.event) && isObject(value.message));
const isSigned = (value: unknown): boolean =>
  value === null || (isObject(value) && isText(value.body) && isText(value.signature) && isText(value.keyId));

const isReceived = (value: JsonObject): boolean =>
  COMMAND_TYPES.some((type) => type === value.type) &&
  isText(value.resource) &&
  isCount(value.fence) &&
  isCount(value.sequence) &&
  isText(value.expiresAt) &&
  isSigned(value.command) &&
  (value.target === null || isText(value.target));

const CHECKS: Readonly<Record<JournalRecord['kind'], (value: JsonObject) => boolean>> = {
  received: isReceived,
  running: () => true,
  process: (value) => isChild(value.process),
  published: (value) => isObject(value.report),
  prepared: (value) => isObject(value.report),
  ended: (value) => COMMAND_STATES.some((state) => state === value.state) && isResult(value.result),
  confirmed: () => true,
  fence: (value) => isText(value.resource) && isCount(value.highest) && isCount(value.executed),
};

/** A replayed line as a record; undefined for a kind that a newer agent wrote, which this one can do nothing with. */
export function asRecord(value: unknown): JournalRecord | undefined {
  if (!isObject(value) || !isText(value.kind) || !Object.hasOwn(CHECKS, value.kind)) return undefined;
  if (value.kind !== 'fence' && !isText(value.id)) return undefined;
  return CHECKS[value.kind as JournalRecord['kind']](value) ? (value as unknown as JournalRecord) : undefined;
}
