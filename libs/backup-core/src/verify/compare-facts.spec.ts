import { metadataDifferences, schemaDifferences, type ParsedFacts } from './compare-facts.js';

const FACTS: ParsedFacts = {
  engine: 'postgresql',
  dumpFormat: 'plain',
  serverVersion: '15.20',
  toolVersion: '15.20',
  encoding: 'UTF8',
  extensions: ['citext'],
  roles: ['app'],
  largeObjects: { count: 1, bytes: 3 },
  tables: [{ schema: 'public', table: 't', columns: ['a', 'b'], rows: 2, bytes: 8 }],
  sequences: [{ name: 'public.s', value: '4', called: true }],
  objects: [
    { type: 'TABLE', schema: 'public', name: 't' },
    { type: 'EXTENSION', schema: '', name: 'citext' },
  ],
};
const [TABLE] = FACTS.tables as [ParsedFacts['tables'][number]];

describe('recorded and found facts', () => {
  it('that are the same have no differences', () => {
    expect(schemaDifferences(FACTS, { ...FACTS })).toEqual([]);
    expect(metadataDifferences(FACTS, { ...FACTS })).toEqual([]);
  });

  it.each<[string, Partial<ParsedFacts>, string]>([
    ['an object less', { objects: FACTS.objects.slice(0, 1) }, '− EXTENSION citext'],
    ['an object more', { objects: [...FACTS.objects, ...FACTS.objects.slice(0, 1)] }, '+ TABLE public.t'],
    ['a column less', { tables: [{ ...TABLE, columns: ['a'] }] }, '− TABLE DATA public.t (a, b)'],
    ['a table less', { tables: [] }, '− TABLE DATA public.t (a, b)'],
  ])('in the schema: %s', (_what, change, difference) => {
    expect(schemaDifferences(FACTS, { ...FACTS, ...change })).toContain(difference);
  });

  it.each<[string, Partial<ParsedFacts>, string]>([
    ['a row less', { tables: [{ ...TABLE, rows: 1 }] }, '− rows of public.t: 2 (8 bytes)'],
    ['another version', { serverVersion: '16.1' }, 'server version: recorded 15.20, found 16.1'],
    ['another encoding', { encoding: 'LATIN5' }, 'encoding: recorded UTF8, found LATIN5'],
    ['an extension less', { extensions: [] }, '− extension citext'],
    ['a role more', { roles: ['app', 'b'] }, '+ role b'],
    ['a sequence elsewhere', { sequences: [{ name: 'public.s', value: '5', called: true }] }, '+ sequence public.s at 5'],
    ['large objects', { largeObjects: { count: 0, bytes: 0 } }, 'large objects: recorded 1 with 3 bytes, found 0 with 0 bytes'],
  ])('in the metadata: %s', (_what, change, difference) => {
    expect(metadataDifferences(FACTS, { ...FACTS, ...change })).toContain(difference);
  });
});
