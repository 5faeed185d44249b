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

/** As `PGOPTIONS` takes them. */
export const asPgOptions = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, String.raw`\$&`)}`)
    .join(' ');
