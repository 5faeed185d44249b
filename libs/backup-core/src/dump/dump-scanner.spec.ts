import { AppError } from '@rahatback/contracts';
import { DigestCollector } from './digest-collector.js';
import { DumpFormError, DumpScanner, type DumpHandler } from './dump-scanner.js';
import { FactsCollector } from './facts-collector.js';
import { RestoreFilter } from './restore-filter.js';
import { RowDigest } from './row-digest.js';

const scan = (dump: string | Buffer, handlers: DumpHandler[], step = Number.MAX_SAFE_INTEGER): void => {
  const scanner = new DumpScanner(handlers);
  const bytes = Buffer.from(dump);
  for (let at = 0; at < bytes.length; at += step) scanner.push(bytes.subarray(at, at + step));
  scanner.end();
};

const HEAD = `--
-- PostgreSQL database dump
--

\\restrict abcDEF123

-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
`;
const TAIL = `--
-- PostgreSQL database dump complete
--

\\unrestrict abcDEF123

`;
const BODY = `
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;
--
-- Name: trap(); Type: FUNCTION; Schema: public; Owner: ayşe
--
CREATE FUNCTION public.trap() RETURNS text LANGUAGE plpgsql AS $_$
begin
COPY public.orders (id) FROM stdin;
-- PostgreSQL database dump complete
return '\\q $_x $$';
end $_$;
ALTER FUNCTION public.trap() OWNER TO "ayşe ""x""";
CREATE FUNCTION public.atomic(a integer) RETURNS integer LANGUAGE sql
    BEGIN ATOMIC
 SELECT CASE WHEN (a > 1) THEN 1 ELSE 2 END;
 SELECT (a + 1);
END;
CREATE RULE r AS ON INSERT TO public.v DO INSTEAD ( SELECT 1; SELECT 2; );
COMMENT ON TABLE public.orders IS 'two
lines; it''s -- no comment \\. \\! here';
COMMENT ON COLUMN public.orders.id IS E'back\\\\slash \\' quote';
/* a /* nested */ comment; */
--
-- Data for Name: orders; Type: TABLE DATA; Schema: public; Owner: postgres
--
COPY public.orders (id, "odd ""name, x", note) FROM stdin;
1\tx\t\\N
2\ty\t\\\\.
\\\\.\tz\tşık
\\.


COPY "we.ird"."a b" (id) FROM stdin;
\\.


SELECT pg_catalog.setval('public.orders_id_seq', 42, true);
BEGIN;

SELECT pg_catalog.lo_open('16394', 131072);
SELECT pg_catalog.lowrite(0, '\\x0102');
SELECT pg_catalog.lowrite(0, '\\xff');
SELECT pg_catalog.lo_close(0);

COMMIT;

GRANT SELECT,INSERT ON TABLE public.orders TO reporting WITH GRANT OPTION;
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE deploy IN SCHEMA public GRANT SELECT ON TABLES  TO reader;
CREATE POLICY p ON public.orders TO alice, "Bob B" USING ((id > 0));
CREATE POLICY " TO nobody; (" ON public." TO x" AS RESTRICTIVE FOR SELECT TO "a; USING (", "), 'b'" USING ((note = ' TO c;'::text));
CREATE POLICY everyone ON public.orders USING ((note = ' TO d;'::text));
`;
const DUMP = HEAD + BODY + TAIL;

describe('FactsCollector', () => {
  it.each([1, 2, 3, 7, 64, 100_000])('finds the facts in slices of %i bytes', (step) => {
    const facts = new FactsCollector();
    scan(DUMP, [facts], step);
    expect(facts.missing()).toBeNull();
    expect(facts.facts()).toMatchObject({
      serverVersion: '15.20 (Debian 15.20-0+deb12u1)',
      toolVersion: '15.20 (Debian 15.20-0+deb12u1)',
      encoding: 'UTF8',
      extensions: ['uuid-ossp'],
      roles: ["), 'b'", 'Bob B', 'a; USING (', 'alice', 'ayşe "x"', 'deploy', 'reader', 'reporting'],
      largeObjects: { count: 1, bytes: 3 },
      tables: [
        { schema: 'public', table: 'orders', columns: ['id', 'odd "name, x', 'note'], rows: 3 },
        { schema: 'we.ird', table: 'a b', columns: ['id'], rows: 0, bytes: 0 },
      ],
      sequences: [{ name: 'public.orders_id_seq', value: '42', called: true }],
      objects: [{ type: 'FUNCTION', schema: 'public', name: 'trap()' }],
    });
  });

  it('says of every shorter dump that it is not whole', () => {
    const bytes = Buffer.from(DUMP.trimEnd());
    for (let length = 0; length < bytes.length; length += 1) {
      const facts = new FactsCollector();
      const whole = (): void => {
        scan(bytes.subarray(0, length), [facts]);
        const missing = facts.missing();
        if (missing !== null) throw new DumpFormError(missing, length);
      };
      expect(whole).toThrow(DumpFormError);
    }
  });

  it('takes a dump without \\restrict, as older tools write it, and refuses a forged \\unrestrict', () => {
    const facts = new FactsCollector();
    scan(DUMP.replaceAll(/^\\(un)?restrict.*\n/gm, ''), [facts]);
    expect(facts.missing()).toBeNull();
    expect(() => scan(DUMP.replace('\\unrestrict abcDEF123', '\\unrestrict other'), [new FactsCollector()])).toThrow(
      DumpFormError,
    );
    expect(() => scan(`${DUMP}SELECT 1;\n`, [new FactsCollector()])).toThrow(DumpFormError);
  });
});

describe('DigestCollector', () => {
  it.each([1, 5, 100_000])('digests rows and large objects in slices of %i bytes', (step) => {
    const collector = new DigestCollector();
    scan(DUMP, [collector], step);
    const expected = new RowDigest();
    for (const row of ['1\tx\t\\N', '2\ty\t\\\\.', '\\\\.\tz\tşık']) expected.add(Buffer.from(row));
    const [orders, empty, objects] = collector.digests();
    expect(orders).toMatchObject({ table: 'orders', rows: 3, digest: expected.digest() });
    expect(empty).toMatchObject({ table: 'a b', rows: 0, digest: '0'.repeat(32) });
    expect(objects).toMatchObject({ schema: 'pg_catalog', table: 'pg_largeobject', rows: 1 });
  });
});

describe('RestoreFilter', () => {
  const filtered = (dump: string, step?: number): string => {
    const filter = new RestoreFilter();
    const out: Buffer[] = [];
    const scanner = new DumpScanner([filter]);
    const bytes = Buffer.from(dump);
    for (let at = 0; at < bytes.length; at += step ?? bytes.length) {
      scanner.push(bytes.subarray(at, at + (step ?? bytes.length)));
      out.push(...filter.take());
    }
    scanner.end();
    out.push(...filter.take());
    return Buffer.concat(out).toString();
  };
  const expected = DUMP.replaceAll(/^\\(un)?restrict.*\n/gm, '')
    .replace('\nBEGIN;\n', '\n')
    .replace('\nCOMMIT;\n', '\n');

  it.each([1, 3, 1000])('passes the dump on without what psql would obey beyond SQL, in slices of %i bytes', (step) => {
    expect(filtered(DUMP, step)).toBe(expected);
  });

  it('leaves psql no variable to fill in, and changes nothing else', () => {
    const body = `CREATE VIEW "v" AS SELECT "a"[1:"HOST"], "a"["x":2] AS "c:""d", 'a:''b' || E':"\\'x"', $$:"HOST"$$, 1::"int4", :{?x} -- :"c"
/* :"d" */ , x:= 3, "a"[:'USER':];\n`;
    expect(filtered(HEAD + body + TAIL)).toContain(
      body
        .replace('1:"HOST"', '1: "HOST"')
        .replace('"x":2', '"x": 2')
        .replace(':{?x}', ': {?x}')
        .replace("[:'USER'", "[: 'USER'"),
    );
  });

  it('makes a setting of newer servers only where there is one', () => {
    const out = filtered(HEAD + 'SET transaction_timeout = 0;\n' + TAIL);
    expect(out).not.toContain('SET transaction_timeout');
    expect(out).toContain("pg_settings WHERE name = 'transaction_timeout';");
    const inString = `COMMENT ON TABLE t IS '\nSET transaction_timeout = 0;\n';\n`;
    expect(filtered(HEAD + inString + TAIL)).toContain(inString);
  });

  it.each([
    '\\! touch /tmp/pwned\n',
    'SELECT 1; \\! id\n',
    'SELECT 1 \\g |id\n',
    '\\connect other\n',
    '\\restrict two words\n',
    "/* c */ \\copy t from program 'id'\n",
    "SELECT 'a'\\gexec\n",
    'SELECT $a$ $b$ $a$ \\o x\n',
    'COMMIT; DROP DATABASE live;\n',
    'SELECT 1; COMMIT;\n',
    'ROLLBACK;\n',
    'COPY t FROM stdin WITH (FORMAT csv);\n',
    'copy public.t (a) from STDIN csv;\n',
  ])('refuses %j', (hostile) => {
    expect(() => filtered(HEAD + hostile + TAIL)).toThrow(DumpFormError);
    expect(DumpFormError.prototype).not.toBeInstanceOf(AppError);
  });
});

describe('what pg_dump does not write, and no digest can be made of', () => {
  it('half a byte of a large object is passed on to the server, which refuses it', () => {
    const half = "SELECT pg_catalog.lowrite(0, '\\x00f');";
    const digests = new DigestCollector();
    const facts = new FactsCollector();
    scan(`${HEAD}SELECT pg_catalog.lo_open('1', 131072);\n${half}\nSELECT pg_catalog.lo_close(0);\n${TAIL}`, [digests, facts]);
    expect(facts.facts().largeObjects).toEqual({ count: 1, bytes: 0 });
    expect(digests.digests()).toHaveLength(1);
  });

  it('of a comment of megabytes only the beginning is read', () => {
    const comments: string[] = [];
    scan(`-- ${'x'.repeat(3_000_000)}\n`, [{ comment: (text) => comments.push(text) }]);
    expect(comments.map(({ length }) => length < 1_100_000)).toEqual([true]);
  });
});
