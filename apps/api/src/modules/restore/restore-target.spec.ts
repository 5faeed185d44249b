import { AppError } from '@rahatback/contracts';
import { MAX_NAME_BYTES, checkConfirmation, checkTarget, defaultTarget, retiredName } from './restore-target.js';

const at = new Date('2026-03-04T05:06:07Z');

const codeOf = (work: () => void): string => {
  try {
    work();
  } catch (error) {
    return error instanceof AppError ? error.code : 'other';
  }
  return 'none';
};

describe('restore target', () => {
  it('is the database with the time in UTC', () => {
    expect(defaultTarget('shop', at)).toBe('shop_restored_20260304050607');
  });

  it('keeps the time whole and cuts a long name between characters', () => {
    const target = defaultTarget('ş'.repeat(31), at);
    expect(target.endsWith('_restored_20260304050607')).toBe(true);
    expect(Buffer.byteLength(target)).toBeLessThanOrEqual(MAX_NAME_BYTES);
    expect(target.startsWith('ş'.repeat(19))).toBe(true);
    expect(target).not.toContain('\uFFFD');
  });

  it('keeps an emoji whole or leaves it out', () => {
    const target = defaultTarget('🐘'.repeat(15), at);
    expect([...target].filter((character) => character === '🐘')).toHaveLength(9);
  });

  it('names the database that a swap retires, cut in the same way', () => {
    expect(retiredName('shop', at)).toBe('shop_before_20260304050607');
    const long = retiredName('ş'.repeat(31), at);
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(MAX_NAME_BYTES);
    expect(long).toMatch(/^ş+_before_20260304050607$/);
  });

  it('is confirmed by the exact name only, and the refusal says what to type', () => {
    expect(codeOf(() => checkConfirmation('shop', 'shop'))).toBe('none');
    for (const typed of ['Shop', 'shop ', '', undefined]) {
      expect(() => checkConfirmation(typed, 'shop')).toThrow(
        expect.objectContaining({ code: 'CONFIRMATION_MISMATCH', message: expect.stringContaining('"shop"') }),
      );
    }
  });

  it('is never the live database, and never longer than PostgreSQL keeps', () => {
    expect(codeOf(() => checkTarget('shop', 'shop'))).toBe('RESTORE_TARGET_LIVE');
    expect(codeOf(() => checkTarget('ş'.repeat(32), 'shop'))).toBe('VALIDATION');
    expect(codeOf(() => checkTarget('x'.repeat(63), 'shop'))).toBe('none');
    expect(codeOf(() => checkTarget('Shop', 'shop'))).toBe('none');
  });
});
