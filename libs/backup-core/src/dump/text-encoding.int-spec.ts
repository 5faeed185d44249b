import { startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { decoderFor } from './text-encoding.js';

/** Every two bytes that may be one character, or every byte from 128 on. */
const candidates = (encoding: string): string =>
  encoding.startsWith('EUC')
    ? "SELECT set_byte(set_byte('\\x0000'::bytea, 0, i), 1, j) AS bytes FROM generate_series(161, 254) i, generate_series(161, 254) j"
    : "SELECT set_byte('\\x00'::bytea, 0, i) AS bytes FROM generate_series(128, 255) i";
/** No text of one meaning, or UTF-8 itself. */
const WITHOUT_MEANING = ['UTF8', 'SQL_ASCII', 'MULE_INTERNAL'];
/** Node knows these not at all, or in another version: beyond ASCII their names are not read. */
const UNKNOWN = ['EUC_TW', 'EUC_JIS_2004'];
/** The euro, the registered sign and a postal mark, which came late. */
const LATE_CHARACTERS = ['€', '®', '㉾'];
const SERVER_ENCODINGS = 35;

describe('names in every encoding that a database may have', () => {
  let server: PrivatePostgres;
  beforeAll(async () => {
    server = await startPostgres();
    await server.query(
      'CREATE FUNCTION meaning(bytea, name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN convert_from($1, $2); EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$',
    );
  }, 60_000);
  afterAll(() => server.stop());

  it('are read as the server reads them', async () => {
    const names = await server.query(`SELECT pg_encoding_to_char(i) FROM generate_series(0, ${SERVER_ENCODINGS - 1}) i`);
    const encodings = names.map(([name]) => String(name)).filter((name) => ![...WITHOUT_MEANING, ...UNKNOWN].includes(name));
    let characters = 0;
    for (const encoding of encodings) {
      const text = `SELECT bytes, meaning(bytes, '${encoding}') FROM (${candidates(encoding)}) AS c WHERE meaning(bytes, '${encoding}') IS NOT NULL`;
      const rows = (await server.query(text)) as [Buffer, string][];
      expect(rows.length).toBeGreaterThan(80);
      const reader = decoderFor(encoding);
      const wrong = rows.filter(([bytes, meaning]) => reader.decode(bytes) !== meaning).map(([, meaning]) => meaning);
      expect([encoding, wrong]).toEqual([encoding, encoding === 'EUC_KR' ? LATE_CHARACTERS : []]);
      characters += rows.length - wrong.length;
    }
    process.stdout.write(`${encodings.length} encodings, ${characters} characters read as the server reads them\n`);
    expect(encodings).toHaveLength(SERVER_ENCODINGS - WITHOUT_MEANING.length - UNKNOWN.length);
  });
});
