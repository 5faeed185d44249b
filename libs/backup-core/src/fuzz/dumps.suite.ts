/** Small dumps as pg_dump --quote-all-identifiers writes them. */
const head = `--
-- PostgreSQL database dump
--

\\restrict abcDEF123

-- Dumped from database version 15.20
-- Dumped by pg_dump version 15.20

SET statement_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

`;
const tail = `--
-- PostgreSQL database dump complete
--

\\unrestrict abcDEF123

`;
const entry = (name: string, type: string, schema = 'public'): string =>
  `--\n-- Name: ${name}; Type: ${type}; Schema: ${schema}; Owner: app\n--\n\n`;

const tables = `${entry('sales', 'SCHEMA', '-')}CREATE SCHEMA "sales";


ALTER SCHEMA "sales" OWNER TO "app";

${entry('item', 'TABLE')}CREATE TABLE "public"."item" (
    "id" integer NOT NULL,
    "note" "text" DEFAULT 'it''s; -- "x"'::"text",
    "tags" "text"[]
);


${entry('order', 'TABLE', 'sales')}CREATE TABLE "sales"."order" (
    "id" bigint NOT NULL,
    "file" "oid"
);


${entry('order_id_seq', 'SEQUENCE', 'sales')}CREATE SEQUENCE "sales"."order_id_seq" START WITH 1;


${entry('order id', 'DEFAULT', 'sales')}ALTER TABLE ONLY "sales"."order" ALTER COLUMN "id" SET DEFAULT "nextval"('"sales"."order_id_seq"'::"regclass");


--
-- Data for Name: item; Type: TABLE DATA; Schema: public; Owner: app
--

COPY "public"."item" ("id", "note", "tags") FROM stdin;
1\tone\t{a,b}
2\t\\\\.\t\\N
3\tthree\\nlines\t{}
\\.


--
-- Data for Name: order; Type: TABLE DATA; Schema: sales; Owner: app
--

COPY "sales"."order" ("id", "file") FROM stdin;
\\.


--
-- Name: order_id_seq; Type: SEQUENCE SET; Schema: sales; Owner: app
--

SELECT pg_catalog.setval('"sales"."order_id_seq"', 42, true);


${entry('item item_pkey', 'CONSTRAINT')}ALTER TABLE ONLY "public"."item"
    ADD CONSTRAINT "item_pkey" PRIMARY KEY ("id");


${entry('order order_item', 'FK CONSTRAINT', 'sales')}ALTER TABLE ONLY "sales"."order"
    ADD CONSTRAINT "order_item" FOREIGN KEY ("id") REFERENCES "public"."item"("id");


`;

const code = `${entry('f(integer)', 'FUNCTION')}CREATE FUNCTION "public"."f"(integer) RETURNS integer
    LANGUAGE "plpgsql"
    AS $_$ BEGIN RETURN $1; -- it's; /* not
 "over"."yet" END $_$;


${entry('g()', 'FUNCTION')}CREATE FUNCTION "public"."g"() RETURNS integer
    LANGUAGE "sql"
    BEGIN ATOMIC
 SELECT CASE WHEN true THEN 1 ELSE 2 END;
END;


${entry('v', 'VIEW')}CREATE VIEW "public"."v" AS
 SELECT /* a /* nested */ comment; */ ("a"."x")[1:"y"] AS "s", E'\\';\\\\' AS "e" FROM "public"."item" "a";


${entry('VIEW "v"', 'COMMENT')}COMMENT ON VIEW "public"."v" IS '5" pipe "public"."item" $1 $x$';


${entry('TABLE "item"', 'ACL')}GRANT SELECT ON TABLE "public"."item" TO "reader" WITH GRANT OPTION;
REVOKE ALL ON SCHEMA "public" FROM PUBLIC;


`;

const largeObjects = `--
-- Name: 16401; Type: BLOB; Schema: -; Owner: app
--

SELECT pg_catalog.lo_create('16401');


ALTER LARGE OBJECT 16401 OWNER TO "app";

--
-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -
--

BEGIN;

SELECT pg_catalog.lo_open('16401', 131072);
SELECT pg_catalog.lowrite(0, '\\x00ff5c');
SELECT pg_catalog.lo_close(0);

COMMIT;

`;

export const TEST_DUMPS: readonly string[] = [
  `${head}${tables}${tail}`,
  `${head}${code}${tail}`,
  `${head}${largeObjects}${tail}`,
  `${head}${code}${tables}${tail}`,
];

export const SQL_TOKENS: readonly string[] = [
  ...[
    "'",
    '"',
    '""',
    '"."',
    '$$',
    '$a$',
    '$1',
    '--',
    '-- ',
    '/*',
    '*/',
    ';',
    ';\n',
    '\n',
    '\\',
    '\\.\n',
    '\\.',
    '(',
    ')',
    ':',
    '::',
  ],
  ...["E'", ':"A"', '\\restrict a\n', '\\! id\n', '\\i x\n', '\\copy x from y\n', '\0', '\r\n', '\ufeff', '\xff', '.', ',', ' '],
  ...[
    'BEGIN;\n',
    'COMMIT;\n',
    'DO $$BEGIN END$$;\n',
    'BEGIN ATOMIC ',
    'CASE ',
    'END',
    'END;\n',
    'CREATE FUNCTION ',
    'OR REPLACE ',
  ],
  ...[
    "COPY t TO PROGRAM 'id';\n",
    'COPY "a"."b" FROM stdin;\n',
    'COPY a.b (c) FROM stdin;',
    ' FROM stdin;\n',
    'COPY ',
    ' TO "a"',
  ],
  ...[
    '-- Name: a; Type: TABLE; Schema: b; Owner: c\n',
    '; Type: A; Schema: ',
    '; Owner: ',
    ' ADD CONSTRAINT "',
    'GRANT ',
    ' TO ',
  ],
  ...[
    "SET client_encoding = 'EUC_JP';\n",
    "SET client_encoding = 'WIN1254';\n",
    "SET client_encoding = 'x';\n",
    "', '",
    ", E'\\",
  ],
  ...["SELECT pg_catalog.lowrite(0, '\\x00');\n", "SELECT pg_catalog.lo_open('1', 2);\n", 'SELECT pg_catalog.lo_close(0);\n'],
];
