import { DumpScanner } from './dump-scanner.js';
import { ParallelRouter } from './parallel-router.js';
import { RestoreFilter } from './restore-filter.js';

const entry = (type: string, name: string, sql: string): string =>
  `--\n-- Name: ${name}; Type: ${type}; Schema: public; Owner: app\n--\n\n${sql}\n\n`;
const table = (name: string): string => entry('TABLE', name, `CREATE TABLE "public"."${name}" (\n    "id" integer\n);`);
const key = (name: string): string =>
  entry('CONSTRAINT', `${name} k`, `ALTER TABLE ONLY "public"."${name}"\n    ADD CONSTRAINT "k_${name}" PRIMARY KEY ("id");`);
const rows = (name: string, text: string): string =>
  `--\n-- Data for Name: ${name}; Type: TABLE DATA; Schema: public; Owner: app\n--\n\nCOPY "public"."${name}" ("id") FROM stdin;\n${text}\\.\n\n\n`;
const ATTACH = 'ALTER TABLE ONLY "public"."whole" ATTACH PARTITION "public"."part" DEFAULT;';
const DUMP = [
  "SET client_encoding = 'UTF8';\n\n",
  table('whole'),
  table('part'),
  entry('TABLE ATTACH', 'part', ATTACH),
  rows('part', '1\n2\n3\n'),
  key('whole'),
  key('part'),
  entry(
    'FK CONSTRAINT',
    'part f',
    'ALTER TABLE ONLY "public"."part" ADD CONSTRAINT "f" FOREIGN KEY ("id") REFERENCES "public"."part"("id");',
  ),
].join('');

function routed(dump: string, step: number) {
  const filter = new RestoreFilter();
  const router = new ParallelRouter(filter);
  const scanner = new DumpScanner([filter, router]);
  for (let at = 0; at < dump.length; at += step) scanner.push(Buffer.from(dump.slice(at, at + step)));
  scanner.end();
  const parts = router.take();
  const of = (to: string): string => parts.map((part) => (part.to === to && 'bytes' in part ? String(part.bytes) : '')).join('');
  return { of, parts, preamble: String(router.preamble()), after: router.after() };
}

describe('ParallelRouter', () => {
  it.each([1, 7, 10_000])('gives each session its part, whatever the pieces (%i bytes)', (step) => {
    const { of, parts, preamble, after } = routed(DUMP, step);
    expect(preamble).toContain('client_encoding');
    expect(of('definitions')).toContain('ATTACH PARTITION');
    expect(of('definitions')).not.toContain('COPY');
    expect(of('rows')).toBe('1\n2\n3\n');
    for (const part of parts) if (part.to === 'rows') expect(String(part.bytes)).toMatch(/^(\d\n)+$/);
    expect(parts.filter(({ to }) => to === 'rows-end')).toHaveLength(1);
    expect([...after.byTable.keys()]).toEqual(['"public"."part"']);
  });

  it('leaves the keys of partitioned tables to the last session: they lock what the others are at', () => {
    const { after } = routed(DUMP, 10_000);
    const last = Buffer.concat([...after.last]).toString();
    expect(last.indexOf('"k_whole"')).toBeGreaterThan(0);
    expect(last.indexOf('FOREIGN KEY')).toBeGreaterThan(last.indexOf('"k_whole"'));
  });

  it('refuses rows after the indexes', () => {
    expect(() => routed(DUMP + rows('part', '4\n'), 10_000)).toThrow(/stand where pg_dump writes none/);
  });
});
