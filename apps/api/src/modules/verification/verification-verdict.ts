import type { TableComparison, VerificationCheck, VerificationCheckName, VerificationLevel } from '@rahatback/contracts';
import type { VerificationVerdict } from '@rahatback/contracts';

/** What an agent found, before the server believes it. */
export interface Findings {
  readonly status: VerificationVerdict;
  readonly reason: string | null;
  readonly checks: readonly VerificationCheck[];
  readonly tables: readonly TableComparison[];
  readonly tablesTotal: number | null;
  readonly tablesEqual: number | null;
  readonly restoreMs: number | null;
}

export interface Verdict {
  readonly status: VerificationVerdict;
  /** Null only for PASSED. */
  readonly reason: string | null;
}

const BASIC: readonly VerificationCheckName[] = ['manifest', 'keys', 'objects', 'checksums', 'segments', 'frames'];
const DATABASE: readonly VerificationCheckName[] = [...BASIC, 'contents', 'schema'];
const FULL: readonly VerificationCheckName[] = [...DATABASE, 'restore', 'row counts', 'digests'];

/** Without these a level has proved nothing of what it promises; the others may be skipped where they do not apply. */
export const NEEDED_CHECKS: Readonly<Record<VerificationLevel, readonly VerificationCheckName[]>> = { BASIC, DATABASE, FULL };

const failedCheck = (checks: readonly VerificationCheck[]): string | null => {
  const failed = checks.filter(({ result }) => result === 'failed');
  const [first] = failed;
  if (first === undefined) return null;
  const more = failed.length === 1 ? '' : ` ${failed.length - 1} more checks failed.`;
  return `The check "${first.name}" failed: ${first.message}${more}`;
};

const unequalTables = ({ tables, tablesTotal, tablesEqual }: Findings): string | null => {
  const first = tables.find((table) => !table.equal);
  if (first !== undefined) {
    return `The table ${first.schema}.${first.table} differs from what was backed up: ${first.rows} rows were, ${first.restoredRows} are there.`;
  }
  if (tablesTotal === tablesEqual) return null;
  return `${tablesEqual ?? 0} of ${tablesTotal ?? 0} tables are equal to what was backed up.`;
};

const notProved = (checks: readonly VerificationCheck[], level: VerificationLevel): string | null => {
  const passed = new Set(checks.filter(({ result }) => result === 'passed').map(({ name }) => name));
  const missing = NEEDED_CHECKS[level].find((name) => !passed.has(name));
  if (missing === undefined) return null;
  return `The agent called the backup good without the check "${missing}", so it is not counted. Upgrade the agent, then verify again.`;
};

/**
 * How a verification ended. A PASSED is not believed when the agent's own numbers contradict it (FAILED), or when a check that the level stands
 * for was not made (SKIPPED): a tick must be earned. FAILED and SKIPPED are taken at their word.
 */
export const verdictOf = (findings: Findings, level: VerificationLevel): Verdict => {
  const against = failedCheck(findings.checks) ?? unequalTables(findings);
  if (findings.status === 'SKIPPED') {
    return { status: 'SKIPPED', reason: findings.reason ?? 'The agent could not judge the backup and did not say why.' };
  }
  if (findings.status === 'FAILED') {
    return { status: 'FAILED', reason: findings.reason ?? against ?? 'The agent found the backup bad and did not say why.' };
  }
  if (against !== null) return { status: 'FAILED', reason: against };
  const unproved = notProved(findings.checks, level);
  return unproved === null ? { status: 'PASSED', reason: null } : { status: 'SKIPPED', reason: unproved };
};
