import type { VerificationCheck, VerificationCheckName, VerificationVerdict } from '@rahatback/contracts';
import { AppError, VERIFICATION_CHECKS } from '@rahatback/contracts';
import { fieldsOf, textOf } from '../backups/index.js';
import { tablesOf } from '../restore/index.js';
import type { Findings } from './verification-verdict.js';

const MAX_CHECKS = 100;
const MAX_DEPTH = 4;
const MAX_ITEMS = 100;
const MAX_TEXT = 1000;
const MAX_EVIDENCE_CHARACTERS = 16 * 1024;
const RESULTS: readonly string[] = ['passed', 'failed', 'skipped'];
const VERDICTS: readonly string[] = ['PASSED', 'FAILED', 'SKIPPED'];

const bad = (what: string): AppError => new AppError('WS_BAD_FRAME', `The message is not understood: ${what}.`);

const numberOf = (value: unknown, what: string): number => {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return Math.round(value);
  throw bad(`${what} must be a number`);
};

const countOf = (value: unknown, what: string): number | null => (value == null ? null : numberOf(value, what));

/** jsonb takes neither NUL nor half a surrogate pair. */
const clean = (text: string): string => Buffer.from(text.slice(0, MAX_TEXT).replaceAll('\u0000', '')).toString();

const cleanValue = (value: unknown, depth: number): unknown => {
  if (typeof value === 'string') return clean(value);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value !== 'object' || value === null || depth === MAX_DEPTH) return null;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => cleanValue(item, depth + 1));
  return cleanFields(value, depth);
};

const cleanFields = (fields: object, depth: number): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields)
      .slice(0, MAX_ITEMS)
      .map(([name, value]) => [clean(name), cleanValue(value, depth + 1)]),
  );

/** A talkative agent cannot fill the table: of evidence that is too long only what names an object is kept. */
const evidenceOf = (value: unknown): Record<string, unknown> => {
  const evidence = cleanFields(fieldsOf(value), 0);
  if (JSON.stringify(evidence).length <= MAX_EVIDENCE_CHARACTERS) return evidence;
  const { backupId, object } = evidence;
  return {
    ...(typeof backupId === 'string' ? { backupId } : {}),
    ...(typeof object === 'string' ? { object } : {}),
    shortened: true,
  };
};

const checkOf = (value: unknown): VerificationCheck => {
  const fields = fieldsOf(value);
  const { name, result } = fields;
  if (!VERIFICATION_CHECKS.some((known) => known === name)) throw bad('a check has an unknown name');
  if (typeof result !== 'string' || !RESULTS.includes(result)) throw bad('a check is passed, failed or skipped');
  return {
    name: name as VerificationCheckName,
    result: result as VerificationCheck['result'],
    message: clean(textOf(fields['message'], 'the message of a check', MAX_TEXT)),
    evidence: evidenceOf(fields['evidence']),
    durationMs: numberOf(fields['durationMs'], 'durationMs'),
  };
};

/** What a `verification:completed` says, checked and cut to size. @throws AppError WS_BAD_FRAME */
export const findingsOf = (message: unknown): Findings => {
  const fields = fieldsOf(message);
  const { status, checks, reason } = fields;
  if (typeof status !== 'string' || !VERDICTS.includes(status)) throw bad('status must be PASSED, FAILED or SKIPPED');
  if (!Array.isArray(checks) || checks.length > MAX_CHECKS) throw bad('checks must be a list');
  return {
    status: status as VerificationVerdict,
    reason: reason == null ? null : textOf(reason, 'reason', 2000),
    checks: checks.map(checkOf),
    tables: tablesOf(message),
    tablesTotal: countOf(fields['tablesTotal'], 'tablesTotal'),
    tablesEqual: countOf(fields['tablesEqual'], 'tablesEqual'),
    restoreMs: countOf(fields['restoreMs'], 'restoreMs'),
  };
};
