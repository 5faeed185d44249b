import { VERIFICATION_STATUSES } from '@rahatback/contracts';
import { VERIFICATION_EVENTS, VERIFICATION_TRANSITIONS, verificationMove } from './verification-states.js';

describe('verification lifecycle', () => {
  it('knows every public status and only those', () => {
    expect(Object.keys(VERIFICATION_TRANSITIONS).sort()).toEqual([...VERIFICATION_STATUSES].sort());
  });

  it.each([
    ['pass', 'PASSED'],
    ['fail', 'FAILED'],
    ['skip', 'SKIPPED'],
  ] as const)('%s moves a pending verification to %s', (event, to) => {
    expect(verificationMove(event)).toEqual({ from: 'PENDING', to });
  });

  it('ends once', () => {
    for (const status of VERIFICATION_STATUSES.filter((candidate) => candidate !== 'PENDING')) {
      for (const event of VERIFICATION_EVENTS) expect(VERIFICATION_TRANSITIONS[status][event]).toBeUndefined();
    }
  });
});
