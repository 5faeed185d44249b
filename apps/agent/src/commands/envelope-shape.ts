import type { CommandEnvelope, CommandType } from '@rahatback/contracts';
import { BACKUP_TYPES, COMMAND_TYPES, COMPRESSIONS, DATABASE_TYPES, TLS_MODES, VERIFICATION_LEVELS } from '@rahatback/contracts';
import { isObject, type JsonObject } from '../state/json-shape.js';

/** Whether a value has the shape; unknown fields are ignored, so that a newer server can talk to this agent. */
type Shape = (value: unknown) => boolean;

const text: Shape = (value) => typeof value === 'string' && value !== '';
const anyText: Shape = (value) => typeof value === 'string';
const count: Shape = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const time: Shape = (value) => typeof value === 'string' && !Number.isNaN(Date.parse(value));
const id: Shape = (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);
const oneOf =
  (allowed: readonly string[]): Shape =>
  (value) =>
    allowed.some((known) => known === value);
const orNull =
  (shape: Shape): Shape =>
  (value) =>
    value === null || shape(value);
const listOf =
  (shape: Shape, atMost: number): Shape =>
  (value) =>
    Array.isArray(value) && value.length <= atMost && value.every(shape);
const objectWith =
  (fields: Readonly<Record<string, Shape>>): Shape =>
  (value) =>
    isObject(value) && Object.entries(fields).every(([name, shape]) => Object.hasOwn(value, name) && shape(value[name]));

/** A name as PostgreSQL and the others take it: NUL and line breaks could end an argument or a password-file line. */
const databaseName: Shape = (value) => typeof value === 'string' && value !== '' && !/[\0\r\n]/.test(value);

const connection = objectWith({
  type: oneOf(DATABASE_TYPES),
  host: text,
  port: (value) => count(value) && Number(value) >= 1 && Number(value) <= 65_535,
  username: anyText,
  database: databaseName,
  tlsMode: oneOf(TLS_MODES),
  tlsCa: orNull(anyText),
  passwordRef: orNull(text),
});

// The ids become parts of object names: nothing that a path could mean anything by.
const location = objectWith({ backupId: id, fence: count, backupType: oneOf(BACKUP_TYPES), workspaceId: id, databaseId: id });
const MAX_CHAIN = 1_000;

const passphrase = objectWith({ salt: text, memoryKib: count, passes: count, parallelism: count, kekRef: text });
const cancel = objectWith({ targetCommandId: id });

const signingAgent = objectWith({ agentId: id, signPublicKey: text, sealPublicKey: text });
/** A backup to read and what it needs. */
const read = {
  backup: location,
  links: listOf(location, MAX_CHAIN),
  agentPath: orNull(text),
  keyRef: orNull(text),
  signedBy: orNull(signingAgent),
};
const selection = listOf(objectWith({ schema: databaseName, table: orNull(databaseName) }), 1_000);
const swap = objectWith({
  restoreId: id,
  connection,
  liveDatabase: databaseName,
  restoredDatabase: databaseName,
  retiredDatabase: databaseName,
  drainMs: count,
});

const PAYLOADS: Readonly<Record<CommandType, Shape>> = {
  'database:test': objectWith({ connection }),
  'job:execute': objectWith({
    location,
    jobId: id,
    attempt: count,
    connection,
    compression: oneOf(COMPRESSIONS),
    recoveryRecipient: text,
    passphrase: orNull(passphrase),
    chainId: id,
    base: listOf(location, MAX_CHAIN),
    agentPath: orNull(text),
    timeLimitMs: count,
  }),
  'job:cancel': cancel,
  'restore:execute': objectWith({
    ...read,
    restoreId: id,
    connection,
    targetDatabase: databaseName,
    selection,
    parallelism: count,
    timeLimitMs: count,
  }),
  'restore:cancel': cancel,
  'restore:preflight': objectWith({
    ...read,
    connection,
    targetDatabase: databaseName,
    liveDatabase: orNull(databaseName),
    selection,
  }),
  'restore:swap': swap,
  'restore:undo': swap,
  'restore:discard': objectWith({ restoreId: id, connection, database: databaseName }),
  'verification:execute': objectWith({
    ...read,
    verificationId: id,
    level: oneOf(VERIFICATION_LEVELS),
    databaseType: oneOf(DATABASE_TYPES),
    timeLimitMs: count,
  }),
  'verification:cancel': cancel,
  'keys:rewrap': objectWith({ ...read, forAgentId: id, signPublicKey: text, sealPublicKey: text }),
  'backup:delete': objectWith({ location, agentPath: text }),
  'backup:export': objectWith({ ...read, fileName: databaseName, timeLimitMs: count }),
};

const sealed = objectWith({
  ref: text,
  purpose: oneOf(['database-password', 'passphrase-kek', 'backup-key']),
  subject: text,
  version: count,
  enc: text,
  ciphertext: text,
});

const envelope = objectWith({
  protocol: count,
  commandId: id,
  agentId: text,
  workspaceId: text,
  sequence: count,
  type: oneOf(COMMAND_TYPES),
  issuedAt: time,
  expiresAt: time,
  resource: text,
  fence: count,
  payload: isObject,
  sealed: listOf(sealed, 100),
});

const hasPayloadOf = (value: JsonObject): boolean => PAYLOADS[value.type as CommandType](value.payload);

/** A type guard over parsed JSON. */
export const isEnvelope = (value: unknown): value is CommandEnvelope => isObject(value) && envelope(value) && hasPayloadOf(value);

/** Narrows an envelope to one type of command; the shape was checked by `isEnvelope`. */
export const isCommandOf = <T extends CommandType>(command: CommandEnvelope, type: T): command is CommandEnvelope<T> =>
  command.type === type;
