import { fuzzAll } from '@rahatback/testing';
import { CORE_SHARES } from './targets.suite.js';

/** A sample; `script/prove fuzz` runs a million. */
it('parsers of what others wrote keep their contract', async () => {
  const { trouble } = await fuzzAll('fuzz, backup format', CORE_SHARES, 14_000);
  expect(trouble).toEqual([]);
}, 120_000);
