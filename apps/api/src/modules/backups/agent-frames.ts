import type { AttemptStep, BackupProgressView, ReportBase, UploadComplete, UploadPart } from '@rahatback/contracts';
import { AppError, errorFromBody } from '@rahatback/contracts';

/**
 * Reads what agents send. An agent is not trusted: every field that reaches a table, a key or a signature is checked here, unknown ones are
 * left out. All functions throw WS_BAD_FRAME.
 */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const SHA256_HEX = /^[0-9a-f]{64}$/;
const MD5_BASE64 = /^[A-Za-z0-9+/]{22}==$/;
const ETAG = /^[\x21-\x7e]{1,200}$/;
const UPLOADED_OBJECT = /^(data-\d{5}|index)$/;
const PUBLISHED_OBJECT = /^(keys-[1-9]\d{0,3}\.json|manifest\.json)$/;
const MAX_STEPS = 200;
const MAX_LOG_TAIL = 64 * 1024;
const MAX_PUBLISH_BYTES = 256 * 1024;
const MAX_PARTS = 8192;

type Fields = Readonly<Record<string, unknown>>;

const bad = (what: string): AppError => new AppError('WS_BAD_FRAME', `The message is not understood: ${what}.`);

export const fieldsOf = (message: unknown): Fields => {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) throw bad('it must be an object');
  return message as Fields;
};

/** PostgreSQL keeps no NUL in text. */
export const textOf = (value: unknown, what: string, maxLength: number): string => {
  if (typeof value !== 'string') throw bad(`${what} must be text`);
  return value.replaceAll('\u0000', '').slice(0, maxLength);
};

export const integerOf = (value: unknown, what: string, min: number, max = Number.MAX_SAFE_INTEGER): number => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw bad(`${what} must be a whole number from ${min}`);
  }
  return value;
};

const matching = (value: unknown, pattern: RegExp, what: string): string => {
  if (typeof value !== 'string' || !pattern.test(value)) throw bad(`${what} is malformed`);
  return value;
};

export const uuidOf = (value: unknown, what: string): string => matching(value, UUID, what);
export const sha256Of = (value: unknown, what: string): string => matching(value, SHA256_HEX, what);

export const reportOf = (message: unknown): ReportBase => {
  const fields = fieldsOf(message);
  return { commandId: uuidOf(fields['commandId'], 'commandId'), fence: integerOf(fields['fence'], 'fence', 0) };
};

const timeOf = (value: unknown): string => {
  const at = typeof value === 'string' ? new Date(value) : new Date(Number.NaN);
  if (Number.isNaN(at.getTime())) throw bad('a step needs its time');
  return at.toISOString();
};

const stepOf = (value: unknown): AttemptStep => {
  const fields = fieldsOf(value);
  const step = { name: textOf(fields['name'], 'the step', 100), at: timeOf(fields['at']) };
  return fields['detail'] === undefined ? step : { ...step, detail: textOf(fields['detail'], 'the detail', 1000) };
};

export interface Words {
  readonly steps: readonly AttemptStep[];
  readonly logTail: string;
}

/** The newest steps and the end of the log: a talkative agent cannot fill the table. */
export const wordsOf = (message: unknown): Words => {
  const { steps, logTail } = fieldsOf(message);
  if (!Array.isArray(steps)) throw bad('steps must be a list');
  if (typeof logTail !== 'string') throw bad('logTail must be text');
  return { steps: steps.slice(-MAX_STEPS).map(stepOf), logTail: logTail.replaceAll('\u0000', '').slice(-MAX_LOG_TAIL) };
};

export const failureOf = (message: unknown): AppError => {
  const body = fieldsOf(fieldsOf(message)['error']);
  const error = errorFromBody({ code: body['code'], message: body['message'] });
  return new AppError(error.code, textOf(error.message, 'the sentence', 2000));
};

export const progressOf = (message: unknown): BackupProgressView => {
  const fields = fieldsOf(message);
  const number = (name: string): number => {
    const value = fields[name];
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw bad(`${name} must be a number`);
    return value;
  };
  return {
    progress: Math.min(100, number('progress')),
    currentStep: textOf(fields['currentStep'], 'currentStep', 100),
    bytesRead: number('bytesRead'),
    bytesStored: number('bytesStored'),
    bytesPerSecond: number('bytesPerSecond'),
    etaSeconds: fields['etaSeconds'] == null ? null : number('etaSeconds'),
  };
};

/** Data and the index go up in parts only, so that an aborted upload cannot come back to life by a part that arrives late. */
export const uploadedObjectOf = (message: unknown): string =>
  matching(fieldsOf(message)['object'], UPLOADED_OBJECT, 'object (data-00001 or index)');

export const publishedObjectOf = (message: unknown): string =>
  matching(fieldsOf(message)['object'], PUBLISHED_OBJECT, 'object (keys-1.json or manifest.json)');

export const storedObjectOf = (message: unknown): string => {
  const object = fieldsOf(message)['object'];
  return typeof object === 'string' && UPLOADED_OBJECT.test(object) ? object : publishedObjectOf(message);
};

export const publishedContentOf = (message: unknown): Buffer => {
  const content = fieldsOf(message)['content'];
  const isBase64 =
    typeof content === 'string' && content.length <= MAX_PUBLISH_BYTES * 2 && /^[A-Za-z0-9+/]+={0,2}$/.test(content);
  const bytes = isBase64 ? Buffer.from(content, 'base64') : Buffer.alloc(0);
  if (bytes.length === 0 || bytes.length > MAX_PUBLISH_BYTES)
    throw bad(`content must be 1 to ${MAX_PUBLISH_BYTES} bytes in base64`);
  return bytes;
};

export const partOf = (message: unknown): Pick<UploadPart, 'partNumber' | 'sizeBytes' | 'sha256' | 'md5'> => {
  const fields = fieldsOf(message);
  return {
    partNumber: integerOf(fields['partNumber'], 'partNumber', 1, MAX_PARTS),
    sizeBytes: integerOf(fields['sizeBytes'], 'sizeBytes', 1),
    sha256: sha256Of(fields['sha256'], 'sha256'),
    md5: matching(fields['md5'], MD5_BASE64, 'md5'),
  };
};

export const completionOf = (message: unknown): Pick<UploadComplete, 'sizeBytes' | 'sha256' | 'parts'> => {
  const fields = fieldsOf(message);
  const parts = fields['parts'];
  if (!Array.isArray(parts) || parts.length === 0 || parts.length > MAX_PARTS) throw bad('parts must be a list');
  return {
    sizeBytes: integerOf(fields['sizeBytes'], 'sizeBytes', 1),
    sha256: sha256Of(fields['sha256'], 'sha256'),
    parts: parts.map((part) => ({ ...partOf(part), etag: matching(fieldsOf(part)['etag'], ETAG, 'etag') })),
  };
};
