import { Client } from 'pg';

/** The tables that hold nearly all bytes, with the column that orders them on disk and what an update does to a row. */
const CHANGES = [
  ['"Müşteri Tablosu"', 'id', 'credit = credit + 1'],
  ['"mağaza".products', 'id', `description = description || '.'`],
  ['"mağaza".product_images', 'product_id', `content = content || '\\x00'::bytea`],
  ['"mağaza"."order"', 'id', `note = coalesce(note, '') || '.'`],
  ['"mağaza".order_lines', 'id', `note = coalesce(note, '') || '.'`],
  ['"mağaza".events', 'id', `message = message || '.'`],
] as const;

export type ChangeShape = 'clustered' | 'scattered';

const HUNDREDTHS = 100;

/** `nth` picks another hundredth of the rows. */
function condition(shape: ChangeShape, table: string, key: string, nth: number): string {
  // 37 steps through all hundredths before one comes again, and neighbours are far apart.
  const part = (nth * 37 + 11) % HUNDREDTHS;
  if (shape === 'scattered') return `${key} % ${HUNDREDTHS} = ${part}`;
  const edge = (hundredth: number): string => `(SELECT max(${key}) * ${hundredth} / ${HUNDREDTHS} FROM ${table})`;
  return `${key} > ${edge(part)} AND ${key} <= ${edge(part + 1)}`;
}

async function run(url: string, statements: readonly string[]): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    let rows = 0;
    for (const statement of statements) rows += (await client.query(statement)).rowCount ?? 0;
    return rows;
  } finally {
    await client.end();
  }
}

/** Updates 1 % of the rows of every big table: neighbours, or one in a hundred. @returns how many rows */
export async function changeOnePercent(url: string, shape: ChangeShape, nth: number): Promise<number> {
  return run(
    url,
    CHANGES.map(([table, key, set]) => `UPDATE ${table} SET ${set} WHERE ${condition(shape, table, key, nth)}`),
  );
}

export async function dropDatabase(url: string, name: string): Promise<void> {
  await run(url, [`DROP DATABASE IF EXISTS "${name.replaceAll('"', '""')}"`]);
}
