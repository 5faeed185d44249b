import type { TableComparison } from '@rahatback/contracts';
import { fittingTables } from './verification.executor.js';

describe('fittingTables', () => {
  const table = (name: string, equal: boolean): TableComparison => ({
    schema: 'public',
    table: name,
    rows: 1,
    restoredRows: 1,
    equal,
  });

  it('names differing tables first and keeps within one frame', () => {
    const many = Array.from({ length: 20_000 }, (_, index) => table(`${'t'.repeat(40)}${index}`, index !== 19_999));
    const listed = fittingTables(many);
    expect(listed[0]).toEqual(many[19_999]);
    expect(listed.length).toBeLessThan(many.length);
    expect(Buffer.byteLength(JSON.stringify(listed))).toBeLessThan(750_000);
    expect(fittingTables(many.slice(0, 3))).toEqual(many.slice(0, 3));
  });
});
