import { AppError } from '@rahatback/contracts';
import * as frames from './agent-frames.js';

const commandId = '01890000-0000-7000-8000-000000000001';

const refused = (work: () => unknown): boolean => {
  try {
    work();
    return false;
  } catch (error) {
    return error instanceof AppError && error.code === 'WS_BAD_FRAME';
  }
};

describe('agent frames', () => {
  it('keeps the known fields of a report and nothing else', () => {
    expect(frames.reportOf({ commandId, fence: 3, more: 1 })).toEqual({ commandId, fence: 3 });
  });

  it.each([
    null,
    [],
    'x',
    { commandId: 'x', fence: 1 },
    { commandId, fence: '1' },
    { commandId, fence: 1.5 },
    { commandId, fence: -1 },
  ])('refuses the report %j', (message) => {
    expect(refused(() => frames.reportOf(message))).toBe(true);
  });

  it.each(['data-00001', 'data-99999', 'index'])('lets %s go up in parts', (object) => {
    expect(frames.uploadedObjectOf({ object })).toBe(object);
    expect(refused(() => frames.publishedObjectOf({ object }))).toBe(true);
  });

  it.each(['keys-1.json', 'manifest.json'])('publishes %s and never lets it go up in parts', (object) => {
    expect(frames.publishedObjectOf({ object })).toBe(object);
    expect(refused(() => frames.uploadedObjectOf({ object }))).toBe(true);
  });

  it.each([
    '',
    '../x',
    'data-1',
    'data-000001',
    'data-00001/../index',
    'keys-0.json',
    'keys-1.json\n',
    'manifest.json.bak',
    'Index',
    7,
  ])('refuses the object name %j', (object) => {
    expect(refused(() => frames.storedObjectOf({ object }))).toBe(true);
  });

  it('cuts what would fill a table and drops NUL', () => {
    const words = frames.wordsOf({
      steps: Array.from({ length: 500 }, (_, index) => ({ name: `s${index}`, at: '2026-01-01T00:00:00Z' })),
      logTail: `${'a'.repeat(100_000)}\u0000end`,
    });
    expect(words.steps).toHaveLength(200);
    expect(words.steps.at(-1)?.name).toBe('s499');
    expect(words.logTail).toHaveLength(64 * 1024);
    expect(words.logTail.endsWith('aend')).toBe(true);
  });

  it('bounds progress and refuses what is no number', () => {
    const progress = { progress: 250, currentStep: 'dump', bytesRead: 1, bytesStored: 1, bytesPerSecond: 1 };
    expect(frames.progressOf(progress)).toMatchObject({ progress: 100, etaSeconds: null });
    expect(refused(() => frames.progressOf({ ...progress, bytesRead: Number.NaN }))).toBe(true);
  });

  it('turns an unknown error code of a newer agent into INTERNAL', () => {
    expect(frames.failureOf({ error: { code: 'FROM_THE_FUTURE', message: 'x' } }).code).toBe('INTERNAL');
    expect(frames.failureOf({ error: { code: 'DUMP_FAILED', message: 'pg_dump ended with 1' } })).toMatchObject({
      code: 'DUMP_FAILED',
      kind: 'operational',
    });
  });

  it('takes small contents in base64 only', () => {
    expect(frames.publishedContentOf({ content: Buffer.from('{}').toString('base64') }).toString()).toBe('{}');
    for (const content of ['', '§', 7, Buffer.alloc(256 * 1024 + 1).toString('base64')]) {
      expect(refused(() => frames.publishedContentOf({ content }))).toBe(true);
    }
  });
});
