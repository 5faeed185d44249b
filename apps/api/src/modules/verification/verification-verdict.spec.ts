import type { VerificationCheck, VerificationLevel } from '@rahatback/contracts';
import { VERIFICATION_LEVELS } from '@rahatback/contracts';
import { NEEDED_CHECKS, verdictOf, type Findings } from './verification-verdict.js';

const checks = (level: VerificationLevel): VerificationCheck[] =>
  NEEDED_CHECKS[level].map((name) => ({ name, result: 'passed', message: 'Good.', evidence: {}, durationMs: 1 }));

const findings = (level: VerificationLevel, change: Partial<Findings> = {}): Findings => ({
  status: 'PASSED',
  reason: null,
  checks: checks(level),
  tables: [],
  tablesTotal: null,
  tablesEqual: null,
  restoreMs: null,
  ...change,
});

describe('verdictOf', () => {
  it.each(VERIFICATION_LEVELS)('believes a PASSED of level %s with all that it stands for, and with no check less', (level) => {
    expect(verdictOf(findings(level), level)).toEqual({ status: 'PASSED', reason: null });
    for (const [index, { name }] of checks(level).entries()) {
      const without = checks(level).filter((_check, at) => at !== index);
      const skipped = checks(level).map((check, at) => (at === index ? { ...check, result: 'skipped' as const } : check));
      for (const fewer of [without, skipped]) {
        const verdict = verdictOf(findings(level, { checks: fewer }), level);
        expect(verdict).toEqual({ status: 'SKIPPED', reason: expect.stringContaining(`"${name}"`) });
      }
    }
  });

  it('does not take a shallow proof for a deep one', () => {
    expect(verdictOf(findings('BASIC'), 'FULL').status).toBe('SKIPPED');
  });

  it('fails what a check, a table or the count of tables contradicts', () => {
    const [first, ...rest] = checks('BASIC');
    const bad: VerificationCheck = { name: 'keys', result: 'failed', message: 'No slot.', evidence: {}, durationMs: 1 };
    const table = { schema: 'public', table: 'orders', rows: 3, restoredRows: 2, equal: false };
    const cases = [
      [{ checks: first === undefined ? [bad] : [first, bad, bad, ...rest] }, 'No slot. 1 more'],
      [{ tables: [table], tablesTotal: 1, tablesEqual: 1 }, 'public.orders'],
      [{ tablesTotal: 2, tablesEqual: 1 }, '1 of 2 tables'],
      [{ tablesTotal: 2, tablesEqual: null }, '0 of 2 tables'],
    ] as const;
    for (const [change, words] of cases) {
      expect(verdictOf(findings('BASIC', change), 'BASIC')).toEqual({
        status: 'FAILED',
        reason: expect.stringContaining(words),
      });
    }
  });

  it('takes FAILED and SKIPPED at their word, and always says why', () => {
    expect(verdictOf(findings('FULL', { status: 'SKIPPED', reason: 'No room.' }), 'FULL')).toEqual({
      status: 'SKIPPED',
      reason: 'No room.',
    });
    expect(verdictOf(findings('BASIC', { status: 'FAILED', reason: null }), 'BASIC').reason).toContain('did not say why');
    expect(verdictOf(findings('BASIC', { status: 'SKIPPED', reason: null }), 'BASIC').reason).toContain('did not say why');
  });
});
