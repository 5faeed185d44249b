import { parseOptions } from './options.js';
import { median, rotated, slope } from './statistics.js';

describe('figures of a benchmark', () => {
  it('takes the middle, or the mean of the two in the middle', () => {
    expect([median([9, 1, 5]), median([4, 1, 9, 2]), median([7])]).toEqual([5, 3, 7]);
    expect(() => median([])).toThrow('no median');
  });

  it('lets every rival begin once', () => {
    const orders = [0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''));
    expect(orders).toEqual(['abc', 'bca', 'cab', 'abc']);
  });

  it('fits a line', () => {
    const exact: [number, number][] = [1, 4, 10].map((x) => [x, 150 + 0.5 * x]);
    expect(slope(exact)).toBeCloseTo(0.5);
    expect(() => slope([[1, 2]])).toThrow('two different sizes');
  });

  it('reads its options, and says how when it cannot', () => {
    expect(parseOptions(['pipeline', '--mb=50', '--memory=1,4'])).toMatchObject({ mb: 50, rounds: 3, memoryGb: [1, 4] });
    expect(parseOptions(['incremental', '--chain=0'])).toMatchObject({ mb: 300, chain: 0, memoryGb: null });
    for (const wrong of [[], ['speed'], ['restore', '--mb=0'], ['restore', '--fast']])
      expect(() => parseOptions(wrong)).toThrow('Usage: script/bench');
  });
});
