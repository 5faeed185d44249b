import { assertSupported, autoVerification, compressionOf } from './job-choices.js';

describe('compressionOf', () => {
  it.each([
    [undefined, 'zstd'],
    [true, 'gzip'],
    [false, 'none'],
    ['none', 'none'],
    ['gzip', 'gzip'],
    ['zstd', 'zstd'],
  ] as const)('%s means %s', (choice, expected) => {
    expect(compressionOf(choice)).toBe(expected);
  });
});

describe('autoVerification', () => {
  const off = { autoVerifyAfterBackup: false, verificationLevel: null };
  const full = { autoVerifyAfterBackup: true, verificationLevel: 'FULL' as const };
  it.each([
    [{}, off, off],
    [{ autoVerifyAfterBackup: true }, off, { autoVerifyAfterBackup: true, verificationLevel: 'BASIC' }],
    [{ verificationLevel: 'FULL' as const }, off, { autoVerifyAfterBackup: false, verificationLevel: 'FULL' }],
    [{}, full, full],
    [{ autoVerifyAfterBackup: false }, full, { autoVerifyAfterBackup: false, verificationLevel: 'FULL' }],
    [{ verificationLevel: 'DATABASE' as const }, full, { autoVerifyAfterBackup: true, verificationLevel: 'DATABASE' }],
  ])('%j on %j is %j', (dto, before, expected) => {
    expect(autoVerification(dto, before)).toEqual(expected);
  });
});

describe('assertSupported', () => {
  it.each(['hourly', 'daily', 'weekly', 'monthly', 'custom', 'advanced'] as const)('refuses the schedule %s', (scheduleType) => {
    expect(() => assertSupported({ scheduleType })).toThrow(expect.objectContaining({ code: 'SCHEDULE_UNSUPPORTED' }));
  });

  it.each([
    [{ cronExpression: '0 2 * * *' }, 'SCHEDULE_UNSUPPORTED'],
    [{ advancedScheduleConfig: { type: 'complex' } }, 'SCHEDULE_UNSUPPORTED'],
    [{ storagePath: '/var/backups', storageType: 's3' as const }, 'VALIDATION'],
    [{ storagePath: '/var/backups', cloudStorageId: '00000000-0000-4000-8000-000000000000' }, 'VALIDATION'],
    [{ storageType: 'google_drive' as const }, 'VALIDATION'],
    [{ timeZone: 'Mars/Olympus' }, 'TZ_INVALID'],
    [{ timeZone: '+03:00' }, 'TZ_INVALID'],
    [{ timeZone: '' }, 'TZ_INVALID'],
  ])('refuses %j', (dto, code) => {
    expect(() => assertSupported(dto)).toThrow(expect.objectContaining({ code }));
  });

  it.each([{}, { scheduleType: 'manual' as const, cronExpression: '' }, { storagePath: 'shop' }, { timeZone: 'UTC' }])(
    'takes %j',
    (dto) => {
      expect(() => assertSupported(dto)).not.toThrow();
    },
  );
});
