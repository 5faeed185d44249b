import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { API_CRASH_POINTS } from './crash-points.js';

describe('crash points', () => {
  it('are all in the code, and the code has no others', () => {
    const files = readdirSync(__dirname).filter((name) => name.endsWith('.service.ts'));
    const code = files.map((name) => readFileSync(join(__dirname, name), 'utf8')).join('\n');
    const used = [...code.matchAll(/crashPoint\('([^']+)'\)/g)].map((match) => match[1]);
    expect([...new Set(used)].sort()).toEqual([...API_CRASH_POINTS].sort());
  });
});
