/** Values of a built-in type, as literals; each type becomes a table with these rows, an array of them, and NULLs. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  smallint: ['-32768', '0', '32767'],
  integer: ['-2147483648', '0', '2147483647'],
  bigint: ['-9223372036854775808', '0', '9223372036854775807'],
  numeric: ['NaN', '0.0000000000000000000000000000001', `${'9'.repeat(1000)}.${'1'.repeat(1000)}`, '-1e-1000', '1.500'],
  'numeric(12,2)': ['-9999999999.99', '0.01', 'NaN'],
  real: ['NaN', 'Infinity', '-Infinity', '1e-45', '3.4028235e38', '0.1', '-0'],
  'double precision': ['NaN', 'Infinity', '-Infinity', '5e-324', '1.7976931348623157e308', '0.1', '0.30000000000000004', '-0'],
  money: ['-92233720368547758.08', '0', '92233720368547758.07', '1234.56'],
  boolean: ['t', 'f'],
  '"char"': ['', 'a', String.raw`\377`],
  'char(5)': ['', 'a', 'ışğ', '  x'],
  'varchar(40)': ['', ' ', 'İstanbul', String.raw`\N`],
  text: ['', ' ', String.raw`\.`, 'a\r\nb', '{"a"}'],
  name: ['', 'x', 'ı'],
  bytea: [String.raw`\x`, String.raw`\x00`, String.raw`\x5c2e0a0d00ff27`],
  date: ['infinity', '-infinity', '4713-01-01 BC', '5874897-12-31', '2024-02-29', '0001-01-01'],
  time: ['00:00:00', '23:59:59.999999', '24:00:00'],
  timetz: ['00:00:00+14', '23:59:59.999999-15:59', '24:00:00+03'],
  timestamp: ['infinity', '-infinity', '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999', '2026-10-25 03:30:00'],
  timestamptz: [
    'infinity',
    '-infinity',
    '4713-01-02 00:00:00+00 BC',
    '294276-12-31 23:59:59.999999+00',
    '1883-11-18 12:03:57-05',
  ],
  interval: ['-1 year 2 mons -3 days +04:05:06.789', '178000000 years', '-178000000 years', '-00:00:00.000001', '1 mon -1 day'],
  uuid: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  json: ['null', '{"a" : 1, "a":2 }', String.raw`"\u0000\ud83c\udf7e"`, '[1e400,\n\t"\\\\."]'],
  jsonb: ['null', '{"a": {"b": [1, 2.50, "\\\\.", "ş"]}}', '1e400', '"\\n"'],
  jsonpath: ['$.a[*] ? (@.b > 1)', 'strict $."x y"'],
  xml: ['<a b="1">\n<!-- x --></a>', 'text &amp; <b/>', ''],
  bit: ['0', '1'],
  'bit(9)': ['101010101'],
  'bit varying': ['', '1', '0'.repeat(100)],
  inet: ['0.0.0.0/0', '255.255.255.255', '::1/64', '2001:db8::ffff:1.2.3.4'],
  cidr: ['0.0.0.0/0', '10.0.0.0/8', '2001:db8::/32'],
  macaddr: ['00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff'],
  macaddr8: ['00:00:00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff:ff:ff'],
  point: ['(0.1,NaN)', '(Infinity,-Infinity)', '(1e-300,1e300)'],
  line: ['{1,2,3}', '{-1,0,0.1}'],
  lseg: ['[(0,0),(1,0.1)]'],
  box: ['(1,1),(0,0)'],
  path: ['((0,0),(1,1),(2,0))', '[(0,0),(1,1)]'],
  polygon: ['((0,0),(1,1),(2,0))'],
  circle: ['<(0,0),0>', '<(0.1,1),1e100>'],
  tsvector: ['', String.raw`a:1A b:2B,3C 'o''brien' '\\\\x'`],
  tsquery: ['', `a & !(b | 'c d') <-> e:*AB`],
  int4range: ['empty', '(,)', '[1,10)', '[,5)'],
  int8range: ['empty', '[-9223372036854775808,)'],
  numrange: ['(0.1,0.2]', '[NaN,NaN]'],
  tsrange: ['[infinity,infinity]', '("2026-01-01 00:00:00",)'],
  tstzrange: ['["2026-01-01 00:00:00+03","2026-06-01 00:00:00+00")'],
  daterange: ['[2024-02-29,infinity)', 'empty'],
  oid: ['0', '4294967295'],
  xid: ['0', '4294967295'],
  xid8: ['0', '18446744073709551615'],
  cid: ['0', '4294967295'],
  tid: ['(0,0)', '(4294967295,65535)'],
  pg_lsn: ['0/0', 'FFFFFFFF/FFFFFFFF'],
  txid_snapshot: ['10:20:10,14,15'],
  pg_snapshot: ['10:20:10,14,15'],
  regclass: ['pg_catalog.pg_class', '-'],
  regtype: ['integer', 'timestamp with time zone'],
  regproc: ['pg_catalog.now'],
  regprocedure: ['pg_catalog.abs(integer)'],
  regoperator: ['pg_catalog.+(integer,integer)'],
  regrole: ['postgres'],
  regnamespace: ['pg_catalog'],
  regconfig: ['turkish', 'simple'],
  regdictionary: ['simple'],
  int2vector: ['1 2 3', ''],
  oidvector: ['1 2 3', ''],
};

/** Types that came with a later major than 13. */
const LATER: Readonly<Record<number, Readonly<Record<string, readonly string[]>>>> = {
  14: {
    int4multirange: ['{}', '{[1,3),[5,)}'],
    nummultirange: ['{(0.1,0.2],[5,6)}'],
    tstzmultirange: ['{["2026-01-01 00:00:00+00",infinity)}'],
    datemultirange: ['{(,2024-02-29),[2025-01-01,)}'],
    numeric: ['Infinity', '-Infinity'],
    'bit varying(64)': ['1'.repeat(64)],
  },
  17: { interval: ['infinity', '-infinity'] },
};

const quoted = (value: string): string => `E'${value.replaceAll(/['\\]/g, '\\$&')}'`;

function tableOf(type: string, values: readonly string[], name: string): string {
  const literals = values.map((value) => `${quoted(value)}::${type}`);
  // To an older server, an array of these is one of them.
  if (/^(int2|oid)vector$/.test(type))
    return `CREATE TABLE every.${name} (one ${type}); INSERT INTO every.${name} VALUES ${literals.map((one) => `(${one})`).join(', ')}, (NULL);`;
  return `CREATE TABLE every.${name} (id serial PRIMARY KEY, one ${type}, many ${type}[], deep ${type}[][]);
    INSERT INTO every.${name} (one, many, deep) SELECT v, ARRAY[v, NULL, v], ARRAY[ARRAY[v, NULL], ARRAY[v, v]] FROM (VALUES ${literals.map((one) => `(${one})`).join(', ')}) AS given (v);
    INSERT INTO every.${name} (one, many) VALUES (NULL, '{}'), (NULL, NULL), (NULL, ARRAY[NULL]::${type}[]);
    INSERT INTO every.${name} (many) VALUES (array_fill(NULL::${type}, ARRAY[2], ARRAY[-2]));`;
}

/** A table for every built-in type that the major has, and types made of types. */
export function everyTypeSql(major: number): string {
  const later = Object.entries(LATER).filter(([since]) => major >= Number(since));
  const groups = [VALUES, ...later.map(([, types]) => types)];
  const tables = groups.flatMap((types, group) =>
    Object.entries(types).map(([type, values], at) => tableOf(type, values, `t_${group}_${at}`)),
  );
  return `
    CREATE SCHEMA every; SET TimeZone = 'UTC'; SET lc_monetary = 'C';
    ${tables.join('\n')}
    CREATE TABLE every.all_bytes AS SELECT i, decode(lpad(to_hex(i), 2, '0'), 'hex') || '\\x5c'::bytea || decode(lpad(to_hex(255 - i), 2, '0'), 'hex') AS b FROM generate_series(0, 255) i;
    CREATE TABLE every.all_characters AS SELECT i, repeat(chr(i), 3) || chr(92) || chr(i) AS c FROM generate_series(1, 70000, 1) i WHERE i NOT BETWEEN 55296 AND 57343;
    CREATE DOMAIN every.positive AS int DEFAULT 7 NOT NULL CONSTRAINT "is > 0" CHECK (VALUE > 0);
    CREATE DOMAIN every.positives AS every.positive[] CHECK (array_length(VALUE, 1) < 4);
    CREATE TYPE every.mood AS ENUM ('sad', 'it''s "ok"', E'new\\nline', '', 'İ');
    ALTER TYPE every.mood ADD VALUE 'between' AFTER 'sad';
    CREATE TYPE every.pair AS (a int, "b ""c""" text, m every.mood[]);
    CREATE TYPE every.nested AS (p every.pair, ps every.pair[]);
    CREATE TYPE every.float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
    CREATE TABLE every.made (d every.positive, ds every.positives, m every.mood, p every.pair, n every.nested, r every.float_range, rs every.float_range[]);
    INSERT INTO every.made VALUES (1, '{1,2}', '', ROW(1, E'a,"b\\\\(\\n', '{sad,NULL}'), ROW(ROW(NULL, NULL, NULL), ARRAY[ROW(1, '', '{}')::every.pair]), '[0.1,0.2)', '{"[1,2]",empty}');
    INSERT INTO every.made (m) VALUES (NULL);`;
}
