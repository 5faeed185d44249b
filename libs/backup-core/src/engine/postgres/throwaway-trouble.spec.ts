import { restoreTrouble } from './throwaway-trouble.js';

describe('restoreTrouble', () => {
  it.each([
    'psql:<stdin>:12: ERROR:  could not extend file "base/5/16384": No space left on device\nHINT:  Check free disk space.',
    'postgres: could not write to file "pg_wal/xlogtemp.12": No space left on device',
    'psql:<stdin>:9: ERROR:  out of memory\nDETAIL:  Failed on request of size 1073741824.',
  ])('%j is the machine that is full', (said) => {
    expect(restoreTrouble(said)).toEqual({ kind: 'no room' });
  });

  it.each([
    ['psql:<stdin>:1: ERROR:  extension "postgis" is not available', 'extension "postgis" is not available'],
    ['psql:<stdin>:1: ERROR:  could not open extension control file "/x/y.control": No such file', 'y.control'],
    ['psql:<stdin>:1: ERROR:  could not access file "$libdir/plv8": No such file or directory', '$libdir/plv8'],
    ['psql:<stdin>:1: ERROR:  role "ayşe" does not exist', 'role "ayşe"'],
    ['psql:<stdin>:1: ERROR:  pg_cron can only be loaded via shared_preload_libraries', 'pg_cron'],
    ['psql:<stdin>:1: ERROR:  could not create locale "tr_TR.utf8": No such file or directory', 'tr_TR.utf8'],
    ['psql:<stdin>:1: ERROR:  could not open stop-word file "/x/turkish.stop": No such file', 'turkish.stop'],
    ['psql:<stdin>:1: ERROR:  unrecognized configuration parameter "timescaledb.license"', 'timescaledb.license'],
  ])('%j is something that is not installed', (said, what) => {
    expect(restoreTrouble(said)).toEqual({ kind: 'requirement', what: expect.stringContaining(what) });
  });

  it.each([
    'psql:<stdin>:7: ERROR:  relation "public.nowhere" does not exist',
    'psql:<stdin>:7: ERROR:  duplicate key value violates unique constraint "t_pkey"',
    'psql:<stdin>:7: ERROR:  new row violates check constraint\nDETAIL:  Failing row contains (role "x" does not exist).',
    '',
  ])('%j is the dump itself', (said) => {
    expect(restoreTrouble(said)).toEqual({ kind: 'sql' });
  });
});
