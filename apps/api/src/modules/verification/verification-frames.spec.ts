import fc from 'fast-check';
import { AppError } from '@rahatback/contracts';
import { findingsOf } from './verification-frames.js';

const check = { name: 'objects', result: 'passed', message: 'All there.', evidence: { objects: 4 }, durationMs: 12.6 };
const message = (change: object = {}) => ({
  status: 'PASSED',
  reason: null,
  checks: [check],
  tables: [],
  tablesTotal: null,
  tablesEqual: null,
  restoreMs: null,
  ...change,
});
const evidence = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  findingsOf(message({ checks: [{ ...check, evidence: value }] })).checks[0]?.evidence;

describe('findings of an agent', () => {
  it('are read as they are', () => {
    expect(findingsOf(message({ restoreMs: 5, tablesTotal: 0, tablesEqual: 0 }))).toEqual({
      ...message({ restoreMs: 5, tablesTotal: 0, tablesEqual: 0 }),
      checks: [{ ...check, durationMs: 13 }],
    });
  });

  it.each([
    [{ status: 'PENDING' }],
    [{ status: 7 }],
    [{ checks: null }],
    [{ checks: Array.from({ length: 101 }, () => check) }],
    [{ checks: [{ ...check, name: 'vibes' }] }],
    [{ checks: [{ ...check, result: 'perhaps' }] }],
    [{ checks: [{ ...check, evidence: null }] }],
    [{ checks: [{ ...check, durationMs: -1 }] }],
    [{ restoreMs: 'long' }],
    [{ tables: {} }],
    [{ reason: 9 }],
  ])('are refused with %j', (change) => {
    expect(() => findingsOf(message(change))).toThrow(expect.objectContaining({ code: 'WS_BAD_FRAME' }));
  });

  it('bring nothing that PostgreSQL cannot keep', () => {
    expect(evidence({ 'a\u0000': 'b\u0000c\ud800', deep: [{ x: 'y\u0000' }] })).toEqual({ a: 'bc\ufffd', deep: [{ x: 'y' }] });
  });

  it('are cut to size, and still name the object', () => {
    const long = Array.from({ length: 100 }, () => 'x'.repeat(1000));
    expect(evidence({ long, backupId: 'a', object: 'index' })).toEqual({ backupId: 'a', object: 'index', shortened: true });
  });

  it('are taken or refused, never anything else, and what is taken stays small', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        try {
          expect(JSON.stringify(evidence(value)).length).toBeLessThanOrEqual(16 * 1024);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
        }
      }),
    );
  });
});
