import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { API_CRASH_POINTS } from './crash-points.js';

describe('crash points', () => {
  it('are all in the code, and the code has no others', () => {
    const folders = [__dirname, join(__dirname, '../agents'), join(__dirname, '../restore')];
    const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
    const code = files
      .filter((path) => path.endsWith('.ts') && !path.endsWith('spec.ts'))
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n');
    const used = [...code.matchAll(/crashPoint\('([^']+)'\)/g)].map((match) => match[1]);
    expect([...new Set(used)].sort()).toEqual([...API_CRASH_POINTS].sort());
  });
});
