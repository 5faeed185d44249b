import { BackupRow } from './backup.entity.js';
import { toBackupView } from './backup-view.js';

const rowOf = (change: Partial<BackupRow>): BackupRow =>
  Object.assign(new BackupRow(), {
    id: 'b',
    jobId: 'j',
    databaseId: 'd',
    status: 'running',
    backupType: 'full',
    compression: 'zstd',
    startedAt: new Date('2026-01-01T00:00:00Z'),
    completedAt: null,
    sizeBytes: null,
    storedBytes: null,
    chainId: 'c',
    baseBackupId: null,
    progress: { progress: 5, currentStep: 'dump', bytesRead: 10, bytesStored: 4, bytesPerSecond: 7, etaSeconds: null },
    errorCode: null,
    errorMessage: null,
    ...change,
  });

const around = { storageType: 's3', agentOnline: false, lastRestoreStatus: null, lastRestoreAt: null } as const;

describe('toBackupView', () => {
  it('says that the agent of a running row is lost, and keeps the row running', () => {
    expect(toBackupView(rowOf({}), around)).toMatchObject({ status: 'running', connection: 'lost', bytesPerSecond: 7 });
    expect(toBackupView(rowOf({}), { ...around, agentOnline: true }).connection).toBe('connected');
  });

  it('shows size, duration and rate of an ended row, and neither progress nor connection', () => {
    const view = toBackupView(
      rowOf({ status: 'success', completedAt: new Date('2026-01-01T00:00:02Z'), sizeBytes: 4000, storedBytes: 1000 }),
      around,
    );
    expect(view).toMatchObject({ connection: null, progress: null, durationMs: 2000, bytesPerSecond: 2000, sizeBytes: 4000 });
  });

  it('does not divide by a duration of zero', () => {
    const view = toBackupView(rowOf({ status: 'success', completedAt: new Date('2026-01-01T00:00:00Z'), sizeBytes: 1 }), around);
    expect(view.bytesPerSecond).toBeNull();
  });
});
