import { QueryFailedError, QueryRunnerProviderAlreadyReleasedError } from 'typeorm';
import { translateDatabaseError } from './database-errors.js';

const failed = (code: string): QueryFailedError => new QueryFailedError('SELECT 1', [], Object.assign(new Error('no'), { code }));
const codeOf = (error: unknown): unknown => (translateDatabaseError(error, true) as { code?: unknown }).code;

describe('errors of PostgreSQL', () => {
  it.each(['57P01', '08006', 'ECONNREFUSED', '25006', '53100'])('%s is UNAVAILABLE: it may be tried again', (code) => {
    expect(codeOf(failed(code))).toBe('UNAVAILABLE');
  });

  it('a connection that was cut between two statements is UNAVAILABLE', () => {
    expect(codeOf(new QueryRunnerProviderAlreadyReleasedError())).toBe('UNAVAILABLE');
  });

  it('others stay what they are, and so does what the work itself has thrown', () => {
    expect(codeOf(failed('23505'))).toBe('23505');
    expect(codeOf(Object.assign(new Error('another server'), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED');
  });
});
