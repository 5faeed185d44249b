import { BACKUP_STATUSES } from '@rahatback/contracts';
import {
  ATTEMPT_EVENTS,
  ATTEMPT_STATES,
  ATTEMPT_TRANSITIONS,
  BACKUP_EVENTS,
  BACKUP_TRANSITIONS,
  attemptMove,
  backupMove,
  isFinalBackupStatus,
} from './backup-states.js';

describe('backup lifecycle', () => {
  it('knows every public status and only those', () => {
    expect(Object.keys(BACKUP_TRANSITIONS).sort()).toEqual([...BACKUP_STATUSES].sort());
  });

  it.each([
    ['publish', 'success'],
    ['fail', 'failed'],
    ['cancel', 'cancelled'],
    ['retry', 'running'],
  ] as const)('%s moves a running backup to %s', (event, to) => {
    expect(backupMove(event)).toEqual({ from: 'running', to });
  });

  it('leaves no way out of an ended backup', () => {
    const final = BACKUP_STATUSES.filter((status) => status !== 'running');
    for (const status of final) {
      expect(isFinalBackupStatus(status)).toBe(true);
      for (const event of BACKUP_EVENTS) expect(BACKUP_TRANSITIONS[status][event]).toBeUndefined();
    }
    expect(isFinalBackupStatus('running')).toBe(false);
  });

  it('never skips a backup that has begun', () => {
    expect(Object.values(BACKUP_TRANSITIONS.running)).not.toContain('skipped');
  });
});

describe('attempt lifecycle', () => {
  it.each([
    ['publish', 'success'],
    ['fail', 'failed'],
    ['cancel', 'cancelled'],
    ['fence', 'fenced'],
  ] as const)('%s moves a running attempt to %s', (event, to) => {
    expect(attemptMove(event)).toEqual({ from: 'running', to });
  });

  it('ends once: no event leaves an ended attempt', () => {
    for (const state of ATTEMPT_STATES.filter((candidate) => candidate !== 'running')) {
      for (const event of ATTEMPT_EVENTS) expect(ATTEMPT_TRANSITIONS[state][event]).toBeUndefined();
    }
  });
});
