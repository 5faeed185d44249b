import { startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { decoderFor, dumpEncoding } from './text-encoding.js';

/** Every two bytes that may be one character, or every byte from 128 on. */
const candidates = (encoding: string): string =>
  encoding.startsWith('EUC')
    ? "SELECT set_byte(set_byte('\\x0000'::bytea, 0, i), 1, j) AS bytes FROM generate_series(161, 254) i, generate_series(161, 254) j"
    : "SELECT set_byte('\\x00'::bytea, 0, i) AS bytes FROM generate_series(128, 255) i";
/** No text of one meaning, or UTF-8 itself. */
const WITHOUT_MEANING = ['UTF8', 'SQL_ASCII', 'MULE_INTERNAL'];
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
    const encodings = names.map(([name]) => String(name)).filter((name) => !WITHOUT_MEANING.includes(name));
    let characters = 0;
    for (const encoding of encodings) {
      const written = dumpEncoding(encoding);
      const bytes = written === encoding ? 'bytes' : `convert_to(meaning(bytes, '${encoding}'), '${written}')`;
      const text = `SELECT ${bytes} AS written, meaning(bytes, '${encoding}') FROM (${candidates(encoding)}) AS c WHERE meaning(bytes, '${encoding}') IS NOT NULL`;
      const rows = (await server.query(text)) as [Buffer, string][];
      expect(rows.length).toBeGreaterThan(80);
      const reader = decoderFor(written);
      expect(rows.filter(([raw, meaning]) => reader.decode(raw) !== meaning)).toEqual([]);
      characters += rows.length;
    }
    process.stdout.write(`${encodings.length} encodings, ${characters} characters read as the server reads them\n`);
    expect(encodings).toHaveLength(SERVER_ENCODINGS - WITHOUT_MEANING.length);
  });
});
