import { parseConfig } from './agent-config.js';

const parse = (env: Record<string, string>) => parseConfig({ env, isRoot: false, userHome: '/home/deniz' });

describe('numbers in the environment of the agent', () => {
  it('have defaults', () => {
    expect(parse({})).toMatchObject({ concurrency: 2, stallMs: 1_800_000 });
    expect(parse({ RAHATBACK_CONCURRENCY: '', RAHATBACK_STALL_SECONDS: '' })).toMatchObject({
      concurrency: 2,
      stallMs: 1_800_000,
    });
  });

  it('are taken as they are', () => {
    expect(parse({ RAHATBACK_CONCURRENCY: '16', RAHATBACK_STALL_SECONDS: '1' })).toMatchObject({
      concurrency: 16,
      stallMs: 1_000,
    });
  });

  it.each([
    ['RAHATBACK_CONCURRENCY', '0'],
    ['RAHATBACK_CONCURRENCY', '17'],
    ['RAHATBACK_CONCURRENCY', 'many'],
    ['RAHATBACK_STALL_SECONDS', '0'],
    ['RAHATBACK_STALL_SECONDS', '0.5'],
    ['RAHATBACK_STALL_SECONDS', '86401'],
    ['RAHATBACK_STALL_SECONDS', '-30'],
  ])('%s=%s is refused', (name, value) => {
    const refusal = (): unknown => parse({ [name]: value });
    expect(refusal).toThrow(`${name} must be a whole number from 1 to`);
  });
});
