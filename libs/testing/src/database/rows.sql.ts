import { CITIES, FIRST_NAMES, LAST_NAMES, sqlArray, TURKISH_WORDS } from './words.js';

export interface RowCounts {
  readonly customers: number;
  readonly products: number;
  readonly images: number;
  readonly orders: number;
  readonly linesPerOrder: number;
  readonly events: number;
  readonly documents: number;
}

/** Rows for about `targetMb` MiB of heap, TOAST and large objects. The factors were measured on PostgreSQL 15. */
export function rowCounts(targetMb: number): RowCounts {
  const of = (perMb: number): number => Math.max(3, Math.ceil(perMb * targetMb));
  return {
    customers: of(60),
    products: of(30),
    images: of(13),
    orders: of(340),
    linesPerOrder: 3,
    events: of(1_230),
    documents: of(0.4),
  };
}

const PHRASES = 20_000;

/**
 * Session-local helpers. Every value is a hash of (seed, row, salt): the same seed gives the same rows, whatever plan PostgreSQL picks,
 * and no row depends on the clock or on random().
 */
export const helpersSql = (seed: number): string => `
CREATE FUNCTION pg_temp.h(i bigint, salt integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS
  $$ SELECT hashint8extended(i, ${seed}::bigint * 1000 + salt) & 9223372036854775807 $$;
CREATE FUNCTION pg_temp.pick(words text[], n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT words[1 + n % cardinality(words)] $$;
CREATE FUNCTION pg_temp.at(i bigint, salt integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
  $$ SELECT timestamptz '2025-01-01 00:00+00' + (pg_temp.h(i, salt) % 31536000) * interval '1 second' $$;
CREATE FUNCTION pg_temp.home(i bigint) RETURNS "mağaza".address LANGUAGE sql IMMUTABLE AS
  $$ SELECT ROW(pg_temp.pick(${sqlArray(TURKISH_WORDS)}, pg_temp.h(i, 1)) || ' Sk. No:' || pg_temp.h(i, 2) % 200,
     pg_temp.pick(${sqlArray(TURKISH_WORDS)}, pg_temp.h(i, 3)) || ' Mah.',
     pg_temp.pick(${sqlArray(CITIES)}, pg_temp.h(i, 4)), 1000 + pg_temp.h(i, 5) % 80000)::"mağaza".address $$;
CREATE TEMPORARY TABLE phrases AS
  SELECT i AS id, string_agg(pg_temp.pick(${sqlArray(TURKISH_WORDS)}, pg_temp.h(i * 100 + w, 10)), ' ' ORDER BY w) AS phrase
  FROM generate_series(0, ${PHRASES - 1}) i, generate_series(1, 11) w GROUP BY i;
ALTER TABLE phrases ADD PRIMARY KEY (id);
ANALYZE phrases;
`;

const phrase = (alias: string, row: string, salt: number): string =>
  `JOIN phrases ${alias} ON ${alias}.id = pg_temp.h(${row}, ${salt}) % ${PHRASES}`;

const customersSql = (count: number): string => `
INSERT INTO "Müşteri Tablosu" (id, "Ad Soyad", email, tax, addresses, tags, preferences, credit, "kolon ""tırnaklı""", created_at)
SELECT i, pg_temp.pick(${sqlArray(FIRST_NAMES)}, pg_temp.h(i, 20)) || ' ' || pg_temp.pick(${sqlArray(LAST_NAMES)}, pg_temp.h(i, 21)),
  'Musteri' || i || '@Ornek.example', lpad((pg_temp.h(i, 22) % 10000000000)::text, 10, '0'),
  CASE pg_temp.h(i, 23) % 3 WHEN 0 THEN ARRAY[pg_temp.home(i)] ELSE ARRAY[pg_temp.home(i), pg_temp.home(i + 1000000)] END,
  ARRAY[pg_temp.pick(${sqlArray(TURKISH_WORDS)}, pg_temp.h(i, 24)), 'a,"b"', NULL],
  jsonb_build_object('dil', 'tr', 'bülten', i % 3 = 0, 'ilgi', jsonb_build_array(p.phrase, i % 17), 'not', NULL),
  (pg_temp.h(i, 25) % 1000000) / 100.0, CASE i % 3 WHEN 0 THEN NULL ELSE i % 3 = 1 END, pg_temp.at(i, 26)
FROM generate_series(1, ${count}) i ${phrase('p', 'i', 27)} ORDER BY i;
`;

const productsSql = (products: number, images: number): string => `
INSERT INTO "mağaza".categories (id, parent_id, name)
SELECT i, CASE WHEN i > 8 THEN 1 + i % 8 END, pg_temp.pick(${sqlArray(TURKISH_WORDS)}, i * 3) || ' ' || i FROM generate_series(1, 60) i;
INSERT INTO "mağaza".products (id, category_id, name, description, price, attributes, sizes, updated_at)
SELECT i, 1 + pg_temp.h(i, 30) % 60, left(p.phrase, 40), p.phrase || '. ' || q.phrase || E'.\\nSatır\\tsekme', (100 + pg_temp.h(i, 31) % 500000) / 100.0,
  jsonb_build_object('renk', pg_temp.pick(ARRAY['kırmızı','yeşil','mavi'], pg_temp.h(i, 32)), 'ağırlık', (pg_temp.h(i, 33) % 90000) / 1000.0,
    'ölçü', jsonb_build_object('en', i % 90, 'boy', i % 120), 'kod', md5(i || 'ürün')),
  ARRAY[36 + i % 4, 40 + i % 4, 44], pg_temp.at(i, 34)
FROM generate_series(1, ${products}) i ${phrase('p', 'i', 35)} ${phrase('q', 'i', 36)} ORDER BY i;
INSERT INTO "mağaza".product_images (product_id, ordinal, content)
SELECT 1 + i % ${products}, i / ${products}, '\\x89504e470d0a1a0a'::bytea || decode(string_agg(repeat(md5(pg_temp.h(i, 37) || ' ' || b), 6), '' ORDER BY b), 'hex')
FROM generate_series(0, ${images - 1}) i, generate_series(1, 85) b GROUP BY i ORDER BY i;
`;

const ordersSql = ({ orders, customers, products, linesPerOrder }: RowCounts): string => `
INSERT INTO "mağaza"."order" (id, ordered_at, customer_id, status, history, delivery, ship_to, total, note)
SELECT i, at, 1 + pg_temp.h(i, 40) % ${customers}, (enum_range(NULL::"mağaza".order_status))[1 + pg_temp.h(i, 41) % 5],
  (enum_range(NULL::"mağaza".order_status))[1:1 + pg_temp.h(i, 41) % 5], tstzrange(at, at + (1 + i % 9) * interval '1 day', '[)'),
  CASE WHEN i % 4 > 0 THEN pg_temp.home(i) END, (pg_temp.h(i, 42) % 9000000) / 100.0, CASE WHEN i % 5 > 1 THEN p.phrase END
FROM generate_series(1, ${orders}) i
  CROSS JOIN LATERAL (SELECT CASE i % 500 WHEN 0 THEN timestamptz '2031-05-05 12:00+00' ELSE pg_temp.at(i, 43) END AS at) t
  ${phrase('p', 'i', 44)} ORDER BY i;
INSERT INTO "mağaza".order_lines (order_id, ordered_at, product_id, quantity, unit_price, tracking, note)
SELECT o.id, o.ordered_at, 1 + pg_temp.h(o.id * 10 + n, 45) % ${products}, 1 + pg_temp.h(o.id * 10 + n, 46) % 5,
  (100 + pg_temp.h(o.id * 10 + n, 47) % 500000) / 100.0, md5('kargo' || o.id)::uuid, CASE WHEN n = 1 THEN o.note END
FROM "mağaza"."order" o, generate_series(1, ${linesPerOrder}) n ORDER BY o.id, n;
`;

const eventsSql = ({ events, customers }: RowCounts): string => `
INSERT INTO "mağaza".events (at, kind, client, customer_id, payload, message)
SELECT timestamptz '2025-01-01 00:00+00' + i * interval '47 seconds', pg_temp.pick(ARRAY['giriş','sepet','ödeme','ödeme hatası','çıkış'], pg_temp.h(i, 50)),
  ('10.' || pg_temp.h(i, 51) % 4 || '.' || pg_temp.h(i, 52) % 250 || '.' || pg_temp.h(i, 53) % 250)::inet,
  CASE WHEN i % 11 > 0 THEN 1 + pg_temp.h(i, 54) % ${customers} END,
  jsonb_build_object('oturum', md5('oturum' || pg_temp.h(i, 55) % 20000), 'sayfa', '/ürünler/' || pg_temp.h(i, 56) % 5000, 'süreMs', pg_temp.h(i, 57) % 4000,
    'tarayıcı', 'Mozilla/5.0 (X11; Linux x86_64; rv:' || 100 + pg_temp.h(i, 58) % 30 || '.0) Gecko/20100101 Firefox', 'deneme', i % 3, 'ek', p.phrase),
  p.phrase || ': ' || q.phrase || ' #' || i
FROM generate_series(1, ${events}) i ${phrase('p', 'i', 59)} ${phrase('q', 'i', 60)} ORDER BY i;
`;

/** Large objects get fixed ids, above those that initdb gives out. */
const documentsSql = (count: number): string => `
INSERT INTO "mağaza".documents (id, title, content)
SELECT d, 'Belge ' || d || ' – sözleşme', lo_from_bytea((700000 + d)::oid, convert_to(body, 'UTF8'))
FROM (SELECT d, string_agg(p.phrase || ' ' || l || E'\\n', '' ORDER BY l) AS body
  FROM generate_series(1, ${count}) d CROSS JOIN generate_series(1, 2000) l
  JOIN phrases p ON p.id = pg_temp.h(d * 10000 + l, 70) % ${PHRASES} GROUP BY d) bodies ORDER BY d;
COMMENT ON LARGE OBJECT 700001 IS 'ilk belge';
`;

/** Rows that a text dump must escape, and numbers that lose digits when somebody parses them. */
const AWKWARD_SQL = `
INSERT INTO "mağaza".awkward_values VALUES
  (1, E'\\\\.', 'NaN', 'Infinity', 'NaN', '1 year 2 mons -3 days 04:05:06.789', B'1011', '08:00:2b:01:02:03', '13:14:15.123456+03', NULL),
  (2, E'\\\\N', '-Infinity', 1.1754944e-38, 123456789012345678901234567890.123456789, '-00:00:00.000001', B'', NULL, NULL, 'null'),
  (3, E'a\\tb\\nc\\rd\\\\e\\x01', 0.1, 3.4028235e38, -0.00, '178000000 years', B'1', NULL, '00:00:00-12', ''),
  (4, '', 2.2250738585072014e-308, '-0', 1e-100, NULL, NULL, NULL, NULL, E'\\\\N'),
  (5, repeat('İıŞşĞğÇçÖöÜü 🧿 漢字 ', 400), 1.7976931348623157e308, NULL, NULL, '0', NULL, NULL, NULL, '-- COPY x FROM stdin;');
`;

/** One statement list per step, in order, with the step's name for progress lines. */
export function rowSteps(counts: RowCounts): readonly (readonly [step: string, sql: string])[] {
  return [
    ['customers', customersSql(counts.customers)],
    ['products', productsSql(counts.products, counts.images)],
    ['orders', ordersSql(counts)],
    ['events', eventsSql(counts)],
    ['documents', documentsSql(counts.documents)],
    ['awkward values', AWKWARD_SQL],
  ];
}
