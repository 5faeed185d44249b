import type { VerificationCheck, VerificationLevel } from '@rahatback/contracts';
import { damagesOf, judgementAfter } from './verification-judgement.js';

const said = (verificationStatus: 'PASSED' | 'FAILED' | null, verificationLevel: VerificationLevel | null) => ({
  verificationStatus,
  verificationLevel,
});

describe('judgementAfter', () => {
  it.each([
    [said(null, null), 'PASSED', 'BASIC'],
    [said(null, null), 'FAILED', 'BASIC'],
    [said('PASSED', 'FULL'), 'PASSED', 'BASIC'],
    [said('PASSED', 'FULL'), 'FAILED', 'BASIC'],
    [said('FAILED', 'BASIC'), 'PASSED', 'BASIC'],
    [said('FAILED', 'BASIC'), 'PASSED', 'FULL'],
    [said('FAILED', 'BASIC'), 'FAILED', 'FULL'],
  ] as const)('after %j a %s of level %s is what counts', (before, status, level) => {
    expect(judgementAfter(before, { status, level })).toEqual({ status, level });
  });

  it.each([
    ['FULL', 'BASIC'],
    ['FULL', 'DATABASE'],
    ['DATABASE', 'BASIC'],
  ] as const)('a FAILED of level %s is not cleared by a PASSED of level %s', (failed, passed) => {
    expect(judgementAfter(said('FAILED', failed), { status: 'PASSED', level: passed })).toBeNull();
  });

  it('a FAILED keeps the deeper level, so that no shallow PASSED clears it later', () => {
    expect(judgementAfter(said('FAILED', 'FULL'), { status: 'FAILED', level: 'BASIC' })).toEqual({
      status: 'FAILED',
      level: 'FULL',
    });
  });
});

const check = (change: Partial<VerificationCheck>): VerificationCheck => ({
  name: 'checksums',
  result: 'failed',
  message: 'It is not what was written.',
  evidence: {},
  durationMs: 1,
  ...change,
});

describe('damagesOf', () => {
  it('names the object of every damaged backup once', () => {
    const damages = damagesOf([
      check({ evidence: { backupId: 'a', object: 'data-00002' } }),
      check({ name: 'segments', evidence: { backupId: 'a', object: 'data-00003' } }),
      check({ name: 'chain', message: 'index of backup b: gone.', evidence: { backupId: 'b', object: 'index' } }),
    ]);
    expect(damages).toEqual([
      { backupId: 'a', sentence: 'data-00002: It is not what was written.' },
      { backupId: 'b', sentence: 'index of backup b: gone.' },
    ]);
  });

  it('is none where objects are whole, whatever else failed', () => {
    expect(damagesOf([check({ result: 'passed' }), check({ result: 'skipped' }), check({ name: 'digests' })])).toEqual([]);
  });

  it('names every damaged link of a chain', () => {
    const places = [
      { backupId: 'b', object: 'data-00001' },
      { backupId: 'c', object: 'index' },
    ];
    const of = (evidence: VerificationCheck['evidence']) =>
      damagesOf([check({ name: 'chain', evidence })]).map(({ backupId, sentence }) => [backupId, sentence.split(':')[0]]);
    const both = [
      ['b', 'data-00001'],
      ['c', 'index'],
    ];
    expect(of({ places })).toEqual(both);
    expect(of({ places, backupId: 'b', object: 'data-00001' })).toEqual(both);
    expect(of({ places: ['c', null, {}], backupId: 'b', object: 'data-00001' })).toEqual([['b', 'data-00001']]);
  });

  it('tells a missing manifest or keys file from a key that does not fit', () => {
    const of = (name: 'manifest' | 'keys' | 'contents', code: string) => damagesOf([check({ name, evidence: { code } })]).length;
    expect([of('manifest', 'OBJECT_MISSING'), of('manifest', 'MANIFEST_INVALID'), of('keys', 'KEYS_INVALID')]).toEqual([1, 1, 1]);
    expect([of('keys', 'WRONG_KEY'), of('manifest', 'FORMAT_UNSUPPORTED'), of('contents', 'DATA_CORRUPT')]).toEqual([0, 0, 0]);
  });

  it('does without evidence', () => {
    expect(damagesOf([check({ evidence: { backupId: 7 } })])).toEqual([
      { backupId: null, sentence: 'It is not what was written.' },
    ]);
  });
});
