import { fuzzAll } from '@rahatback/testing';
import { AGENT_SHARES } from './targets.suite.js';

/** A sample; `script/prove fuzz` runs a million. */
it('parsers of the agent keep their contract', async () => {
  const { trouble } = await fuzzAll('fuzz, of the agent', AGENT_SHARES, 3_000);
  expect(trouble).toEqual([]);
}, 60_000);
