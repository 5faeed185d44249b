import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const root = join(dirname(createRequire(join(process.cwd(), 'package.json')).resolve('@rahatback/api/package.json')), '..', '..');

/** The checks that were chosen, by their first number each; a row may not go missing. */
const CHECKS = [
  ...[
    '1.2.4',
    '1.2.5',
    '1.3.6',
    '1.5.2',
    '2.2.1',
    '2.3.3',
    '2.3.4',
    '2.4.1',
    '3.3.1-4',
    '3.4.1-6',
    '3.5.1-3',
    '4.1.3',
    '4.4.1-4',
  ],
  ...[
    '5.2.3',
    '5.3.2',
    '5.4.1-2',
    '6.2.1',
    '6.3.3',
    '6.4.1',
    '7.2',
    '8.2.1-3',
    '8.4.1',
    '9.1',
    '10.4.5',
    '11.2.1-2',
    '11.4.2',
    '11.5.1',
  ],
  ...['12.1', '13.2.1', '13.4.2', '14.2.1', '14.3.2', '15.1.2', '16.2', '16.4.1-3', '16.5.2-3'],
];

interface Row {
  readonly number: number;
  readonly check: string;
  readonly met: string;
  readonly tests: readonly string[];
}

function rowsOf(text: string): Row[] {
  return text
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter((cells) => /^\d+$/.test(cells[1] ?? ''))
    .map(([, number = '', check = '', met = '', tests = '']) => ({
      number: Number(number),
      check: check.split(',')[0] ?? '',
      met,
      tests: [...tests.matchAll(/`([^`]+)`/g)].map(([, path]) => path ?? ''),
    }));
}

describe('the table of docs/SECURITY.md', () => {
  const rows = rowsOf(readFileSync(join(root, 'docs/SECURITY.md'), 'utf8'));

  it('has each of the 36 checks once, in order', () => {
    expect(rows.map(({ check }) => check)).toEqual(CHECKS);
    expect(rows.map(({ number }) => number)).toEqual(CHECKS.map((_check, index) => index + 1));
    expect(CHECKS).toHaveLength(36);
  });

  it.each(rows)('$number: $check says how and names tests that are there', ({ met, tests }) => {
    expect(met.length).toBeGreaterThan(10);
    expect(tests.length).toBeGreaterThan(0);
    for (const path of tests) {
      expect(path).toMatch(/spec\.ts$/);
      expect([path, existsSync(join(root, path))]).toEqual([path, true]);
      expect(readFileSync(join(root, path), 'utf8')).toMatch(/\bit(\.each)?\(|\bdescribe\w*\(/);
    }
  });
});
