import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CRASH_POINTS, SWAP_CRASH_POINTS, VERIFY_CRASH_POINTS } from './crash-point.js';

describe('crash points of this library', () => {
  it('are all in the code, and the code has no others', () => {
    const files = readdirSync(__dirname, { recursive: true, encoding: 'utf8' }).filter(
      (path) => path.endsWith('.ts') && !/(spec|suite)\.ts$/.test(path),
    );
    const code = files.map((path) => readFileSync(join(__dirname, path), 'utf8')).join('\n');
    const used = [...code.matchAll(/crashPoint\('([^']+)'\)/g)].map((match) => match[1] ?? '');
    // Those of uploads are passed by the agent, those of a swap by a name made of its direction and step.
    const declared = [...CRASH_POINTS, ...VERIFY_CRASH_POINTS].filter((point) => !point.startsWith('upload.'));
    expect([...new Set(used)].sort()).toEqual([...declared].sort());
    expect(new Set(SWAP_CRASH_POINTS.map((point) => point.split('.')[1])).size).toBe(5);
  });
});
