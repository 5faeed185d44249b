import {
  VERIFICATION_CHECKS,
  type VerificationCheck,
  type VerificationCheckName,
  type VerificationLevel,
  type VerificationVerdict,
} from '@rahatback/contracts';

type Evidence = VerificationCheck['evidence'];

const FIRST_OF_DATABASE = VERIFICATION_CHECKS.indexOf('contents');
const FIRST_OF_FULL = VERIFICATION_CHECKS.indexOf('server');
const ENDS: Readonly<Record<VerificationLevel, number>> = {
  BASIC: FIRST_OF_DATABASE,
  DATABASE: FIRST_OF_FULL,
  FULL: VERIFICATION_CHECKS.length,
};

/** The checks that a level has. */
export const checksOf = (level: VerificationLevel): readonly VerificationCheckName[] => VERIFICATION_CHECKS.slice(0, ENDS[level]);

/** Milliseconds since it was called. */
export function stopwatch(): () => number {
  const startedAt = performance.now();
  return () => Math.round(performance.now() - startedAt);
}

const LISTED = 20;
/** Names for evidence: small, and never all of a thousand. */
export const listed = (names: readonly string[]): readonly string[] =>
  names.length <= LISTED ? names : [...names.slice(0, LISTED), `… and ${names.length - LISTED} more`];

/** The checks of one verification as they are judged. The first judgement of a check stays. */
export class CheckList {
  private readonly found = new Map<VerificationCheckName, VerificationCheck>();

  constructor(private readonly level: VerificationLevel) {}

  passed(name: VerificationCheckName, message: string, evidence: Evidence, durationMs: number): void {
    this.add({ name, result: 'passed', message, evidence, durationMs });
  }

  failed(name: VerificationCheckName, message: string, evidence: Evidence, durationMs: number): void {
    this.add({ name, result: 'failed', message, evidence, durationMs });
  }

  /** Could not be judged, which says nothing against the backup. */
  skipped(name: VerificationCheckName, message: string, evidence: Evidence = {}, durationMs = 0): void {
    this.add({ name, result: 'skipped', message, evidence, durationMs });
  }

  has(name: VerificationCheckName): boolean {
    return this.found.has(name);
  }

  resultOf(name: VerificationCheckName): VerificationCheck['result'] | undefined {
    return this.found.get(name)?.result;
  }

  /** Judges what is left as skipped. */
  skipRest(names: readonly VerificationCheckName[], message: string): void {
    for (const name of names) this.skipped(name, message);
  }

  /** In their order, complete. */
  list(): readonly VerificationCheck[] {
    this.skipRest(checksOf(this.level), 'It was not reached, because an earlier check could not be passed.');
    return checksOf(this.level).flatMap((name) => this.found.get(name) ?? []);
  }

  private add(check: VerificationCheck): void {
    if (checksOf(this.level).includes(check.name) && !this.found.has(check.name)) this.found.set(check.name, check);
  }
}

/** What is left behind on this machine says nothing about the backup. */
const ABOUT_THE_BACKUP = (check: VerificationCheck): boolean => check.name !== 'cleanup';

/** FAILED for anything wrong; else SKIPPED when something could not be judged; the reason is that of the first. */
export function verdictOf(checks: readonly VerificationCheck[]): { status: VerificationVerdict; reason: string | null } {
  const counted = checks.filter(ABOUT_THE_BACKUP);
  const failed = counted.find(({ result }) => result === 'failed');
  if (failed) return { status: 'FAILED', reason: failed.message };
  const skipped = counted.find(({ result }) => result === 'skipped');
  return skipped ? { status: 'SKIPPED', reason: skipped.message } : { status: 'PASSED', reason: null };
}
