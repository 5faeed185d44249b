import { fuzzAll } from '@rahatback/testing';
import { API_SHARES } from './targets.suite.js';

/** `script/prove fuzz` */
it('parsers of the server keep their contract', async () => {
  const { figures, trouble } = await fuzzAll('fuzz, of the server', API_SHARES, 150_000);
  expect(trouble).toEqual([]);
  expect(figures.reduce((sum, { executions }) => sum + executions, 0)).toBeGreaterThanOrEqual(150_000);
}, 3_600_000);
