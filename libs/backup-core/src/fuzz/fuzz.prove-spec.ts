import { fuzzAll } from '@rahatback/testing';
import { CORE_SHARES } from './targets.suite.js';

/** `script/prove fuzz`: with those of the server and the agent a million and more. */
it('parsers of the backup format keep their contract', async () => {
  const { figures, trouble } = await fuzzAll('fuzz, backup format', CORE_SHARES, 760_000);
  expect(trouble).toEqual([]);
  expect(figures.reduce((sum, { executions }) => sum + executions, 0)).toBeGreaterThanOrEqual(760_000);
}, 3_600_000);
