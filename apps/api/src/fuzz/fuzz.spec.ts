import { fuzzAll } from '@rahatback/testing';
import { API_SHARES } from './targets.suite.js';

/** A sample; `script/prove fuzz` runs a million. */
it('parsers of the server keep their contract', async () => {
  const { trouble } = await fuzzAll('fuzz, of the server', API_SHARES, 3_000);
  expect(trouble).toEqual([]);
}, 60_000);
