import type { PreflightFinding, TableComparison } from '@rahatback/contracts';
import { AppError, PREFLIGHT_SUBJECTS } from '@rahatback/contracts';
import { failureOf, fieldsOf, textOf } from '../backups/index.js';

const MAX_TABLES = 100_000;

const rowsOf = (value: unknown): number => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new AppError('WS_BAD_FRAME', 'The message is not understood: a count is missing.');
};

/** A table is equal only when the agent says so and both row counts agree. */
export const tablesOf = (message: unknown): readonly TableComparison[] => {
  const { tables } = fieldsOf(message);
  if (!Array.isArray(tables) || tables.length > MAX_TABLES) {
    throw new AppError('WS_BAD_FRAME', 'The message is not understood: tables must be a list.');
  }
  return tables.map((table) => {
    const fields = fieldsOf(table);
    const rows = rowsOf(fields['rows']);
    const restoredRows = rowsOf(fields['restoredRows']);
    return {
      schema: textOf(fields['schema'], 'schema', 200),
      table: textOf(fields['table'], 'table', 200),
      rows,
      restoredRows,
      equal: fields['equal'] === true && rows === restoredRows,
    };
  });
};

const MAX_FINDINGS = 1_000;
const SEVERITIES = ['ok', 'warning', 'blocker'] as const;

const findingOf = (value: unknown): PreflightFinding => {
  const fields = fieldsOf(value);
  const subject = PREFLIGHT_SUBJECTS.find((known) => known === fields['subject']);
  const severity = SEVERITIES.find((known) => known === fields['severity']);
  if (subject === undefined || severity === undefined) {
    throw new AppError('WS_BAD_FRAME', 'The message is not understood: a finding needs its subject and severity.');
  }
  const { details } = fields;
  const finding = { subject, severity, message: textOf(fields['message'], 'message', 2000) };
  return details === undefined ? finding : { ...finding, details: fieldsOf(details) };
};

export const findingsOf = (message: unknown): readonly PreflightFinding[] => {
  const { findings } = fieldsOf(message);
  if (!Array.isArray(findings) || findings.length > MAX_FINDINGS) {
    throw new AppError('WS_BAD_FRAME', 'The message is not understood: findings must be a list.');
  }
  return findings.map(findingOf);
};

/** Null for a command that did what it was for. */
export const errorOf = (message: unknown): AppError | null =>
  fieldsOf(message)['error'] === undefined ? null : failureOf(message);

export const drainedOf = (message: unknown): number => rowsOf(fieldsOf(message)['drainedSessions']);
