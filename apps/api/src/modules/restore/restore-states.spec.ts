import { RESTORE_STATUSES } from '@rahatback/contracts';
import { RESTORE_EVENTS, RESTORE_TRANSITIONS, restoreMove } from './restore-states.js';

describe('restore lifecycle', () => {
  it('knows every public status and only those', () => {
    expect(Object.keys(RESTORE_TRANSITIONS).sort()).toEqual([...RESTORE_STATUSES].sort());
  });

  it.each([
    ['complete', 'success'],
    ['fail', 'failed'],
    ['cancel', 'cancelled'],
  ] as const)('%s moves a running restore to %s', (event, to) => {
    expect(restoreMove(event)).toEqual({ from: 'running', to });
  });

  it('ends once', () => {
    for (const status of RESTORE_STATUSES.filter((candidate) => candidate !== 'running')) {
      for (const event of RESTORE_EVENTS) expect(RESTORE_TRANSITIONS[status][event]).toBeUndefined();
    }
  });
});
