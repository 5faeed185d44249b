import fc from 'fast-check';
import { mentionsOf, parseTocEntry } from './toc-entry.js';

/** Runs in a second on any machine, where quadratic time would take minutes. */
const QUICK_MS = 2_000;
const timed = (work: () => unknown): number => {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
};

describe('entries of a table of contents', () => {
  it('are read whatever the name holds', () => {
    for (const name of ['t', 'a; Type: TABLE; Schema: s', 'line\u2028end', 'x; Owner: y', 'carriage\rreturn', '']) {
      expect(parseTocEntry(`Name: ${name}; Type: TABLE; Schema: public; Owner: app`)).toEqual({
        ...{ type: 'TABLE', schema: 'public', name },
        qualified: `"public"."${name}"`,
      });
    }
    expect(parseTocEntry('Data for Name: t; Type: TABLE DATA; Schema: -; Owner: app')).toMatchObject({ schema: '', name: 't' });
    for (const other of ['', 'Name: t', 'Name: t; Type: table; Schema: s; Owner: o', 'Name: t; Type: T; Schema: s']) {
      expect(parseTocEntry(other)).toBeNull();
    }
  });

  it('take time in proportion to their length', () => {
    expect(timed(() => parseTocEntry(`Name: ${'; Type: A; Schema: '.repeat(50_000)}`))).toBeLessThan(QUICK_MS);
    expect(timed(() => parseTocEntry(`Name: ${'; Type: A; Schema: '.repeat(50_000)}; Owner: `))).toBeLessThan(QUICK_MS);
  });
});

describe('mentions', () => {
  it('are found in statements and strings, not in bodies', () => {
    const sql = `CREATE FUNCTION "a"."f"() AS $_$ "x"."y" $1 $_$ DEFAULT nextval('"s"."q''q"'), 5" "b"."c""d" $$ "z"."z" $$`;
    expect([...mentionsOf(sql)].sort()).toEqual(['"a"."f"', '"b"."c""d"', `"s"."q''q"`, `"s"."q'q"`].sort());
  });

  it('are those that the grammar of dollar quotes leaves', () => {
    const quoted = /\$([A-Za-z_\u0080-\uffff]\w*)?\$[\s\S]*?\$\1\$/g;
    const words = fc.array(
      fc.constantFrom('$', '$$', '$a$', '$b$', 'a', '1', ' ', '\n', 'ş', '"s"."t1"', '"s"."t2"', '"s"."t3"'),
      {
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(words, (parts) => {
        const sql = parts.join('');
        expect([...mentionsOf(sql)]).toEqual([...mentionsOf(sql.replaceAll(quoted, '').replaceAll('$', '#'))]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('take time in proportion to the length of a statement', () => {
    expect(timed(() => mentionsOf('"'.repeat(300_000)))).toBeLessThan(QUICK_MS);
    expect(timed(() => mentionsOf(Array.from({ length: 100_000 }, (_, n) => `$a${n}$ `).join('')))).toBeLessThan(QUICK_MS);
  });
});
