/**
 * How values are written as text, the same in the dump and when a restored database is digested, whatever the server, database or role
 * has set. pg_dump itself pins DateStyle, IntervalStyle and extra_float_digits, but not the time zone, bytea_output or lc_monetary.
 */
export const TEXT_FORM_SETTINGS: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  bytea_output: 'hex',
  lc_monetary: 'C',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
};

/** For pg_dump: it would write strings in the old way where a database still has it so. */
export const DUMP_SETTINGS: Readonly<Record<string, string>> = { ...TEXT_FORM_SETTINGS, standard_conforming_strings: 'on' };

/** For digests: what pg_dump itself sets in its session, and the names of tables, functions and types inside of rows depend on. */
export const DIGEST_SETTINGS: Readonly<Record<string, string>> = {
  ...TEXT_FORM_SETTINGS,
  quote_all_identifiers: 'on',
  search_path: '',
  row_security: 'off',
  statement_timeout: '0',
  // Rows come in the order in which they lie, from the first on.
  synchronize_seqscans: 'off',
};

/** For psql: values are read as they were written; the rest of a dump says itself how it is to be read. */
export const RESTORE_SETTINGS: Readonly<Record<string, string>> = { ...TEXT_FORM_SETTINGS, array_nulls: 'on' };

/** As `PGOPTIONS` takes them. */
export const asPgOptions = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, String.raw`\$&`)}`)
    .join(' ');
