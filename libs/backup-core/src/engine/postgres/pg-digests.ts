import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { LARGE_OBJECTS, type TableDigest } from '../../dump/digest-collector.js';
import type { DumpFacts } from '../../dump/dump-facts.js';
import { qualifiedName, quoteIdentifier } from '../../dump/copy-target.js';
import { largeObjectRow } from '../../dump/large-objects.js';
import { RowDigest } from '../../dump/row-digest.js';
import { TextDigest } from '../../dump/text-digest.js';
import type { DatabaseAccess } from '../database-engine.js';
import { rowsOf, withClient } from './pg-client.js';
import { DIGEST_SETTINGS } from './session-settings.js';

const LARGE_OBJECT_BATCH = 64;
const LARGE_OBJECT_PIECE = 1024 * 1024;

/** Row filters of tables whose rows belong to an extension only in part (pg_extension.extcondition), by `schema.table`. */
type RowFilters = ReadonlyMap<string, string>;

async function pinTextForm(client: Client): Promise<void> {
  for (const [name, value] of Object.entries(DIGEST_SETTINGS))
    await client.query('SELECT pg_catalog.set_config($1, $2, false)', [name, value]);
}

/** A dump holds only those rows of an extension's table that its filter lets through, so the digest must as well. */
async function readFilters(client: Client): Promise<RowFilters> {
  const text = `SELECT n.nspname, c.relname, f.condition FROM pg_catalog.pg_extension e
    CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) AS f(relation, condition)
    JOIN pg_catalog.pg_class c ON c.oid = f.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE f.condition <> ''`;
  const rows = (await rowsOf(client, text)) as [string, string, string][];
  return new Map(rows.map(([schema, table, condition]) => [qualifiedName(schema, table), condition]));
}

interface CopyForm {
  readonly filters: RowFilters;
  /** Of the dump. The session itself stays in UTF-8, in which the driver sends names. */
  readonly encoding: string | null;
}

function copyStatement({ schema, table, columns }: TableDigest, { filters, encoding }: CopyForm): string {
  const name = qualifiedName(schema, table);
  const list = columns.map(quoteIdentifier).join(', ');
  const condition = filters.get(name);
  const source =
    condition === undefined ? `${name}${list === '' ? '' : ` (${list})`}` : `(SELECT ${list} FROM ONLY ${name} ${condition})`;
  return `COPY ${source} TO STDOUT${encoding === null ? '' : ` WITH (ENCODING '${encoding.replaceAll("'", "''")}')`}`;
}

async function digestTable(client: Client, expected: TableDigest, copy: CopyForm, signal: AbortSignal): Promise<TableDigest> {
  const digest = expected.form === 'text' ? new TextDigest() : new RowDigest();
  const stream = client.query(copyTo(copyStatement(expected, copy)));
  for await (const bytes of stream) {
    signal.throwIfAborted();
    digest.push(bytes as Buffer);
  }
  const { schema, table, columns, form } = expected;
  return { schema, table, columns, form, rows: digest.rows, digest: digest.digest() };
}

/** SHA-256 of one object's content from `from` on; the beginning is already in `hash`. */
async function hashRest(client: Client, oid: string, hash: ReturnType<typeof createHash>): Promise<void> {
  for (let from = LARGE_OBJECT_PIECE; ; from += LARGE_OBJECT_PIECE) {
    const piece = await client.query<{ piece: Buffer }>('SELECT pg_catalog.lo_get($1::oid, $2, $3) AS piece', [
      oid,
      from,
      LARGE_OBJECT_PIECE,
    ]);
    const bytes = piece.rows[0]?.piece;
    if (!bytes || bytes.length === 0) return;
    hash.update(bytes);
  }
}

async function digestLargeObjects(client: Client, signal: AbortSignal): Promise<TableDigest> {
  const digest = new RowDigest();
  const text = `SELECT oid::text AS oid, pg_catalog.lo_get(oid, 0, ${LARGE_OBJECT_PIECE}) AS piece FROM pg_catalog.pg_largeobject_metadata
    WHERE oid > $1::oid ORDER BY oid LIMIT ${LARGE_OBJECT_BATCH}`;
  for (let last = '0'; ;) {
    signal.throwIfAborted();
    const { rows } = await client.query<{ oid: string; piece: Buffer }>(text, [last]);
    for (const { oid, piece } of rows) {
      const hash = createHash('sha256').update(piece);
      if (piece.length === LARGE_OBJECT_PIECE) await hashRest(client, oid, hash);
      digest.add(largeObjectRow(oid, hash.digest('hex')));
      last = oid;
    }
    if (rows.length < LARGE_OBJECT_BATCH)
      return { ...LARGE_OBJECTS, columns: [], form: 'rows', rows: digest.rows, digest: digest.digest() };
  }
}

const isLargeObjects = ({ schema, table }: TableDigest): boolean =>
  schema === LARGE_OBJECTS.schema && table === LARGE_OBJECTS.table;

/** Sessions that read at once: while one waits for this program to hash, the server writes the other's rows. */
const LANES = 2;

interface DigestWork {
  readonly access: DatabaseAccess;
  readonly encoding: string | null;
  readonly signal: AbortSignal;
  /** Positions of the tables that nobody has taken yet. */
  readonly open: number[];
  readonly expected: readonly TableDigest[];
  readonly found: TableDigest[];
}

/** Takes tables until none is left. */
function digestLane({ access, encoding, signal, open, expected, found }: DigestWork): Promise<void> {
  return withClient(access, { statementTimeoutMs: 0, statementFailure: 'RESTORE_FAILED' }, async (client) => {
    const cut = (): void => {
      client.end().catch(() => undefined);
    };
    signal.addEventListener('abort', cut, { once: true });
    try {
      const form = { filters: await readFilters(client), encoding };
      await pinTextForm(client);
      for (let position = open.shift(); position !== undefined; position = open.shift()) {
        signal.throwIfAborted();
        const table = expected[position] as TableDigest;
        found[position] = isLargeObjects(table)
          ? await digestLargeObjects(client, signal)
          : await digestTable(client, table, form, signal);
      }
    } catch (error) {
      // Nobody goes on with what is worth nothing any more.
      open.length = 0;
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', cut);
    }
  });
}

/** Digests the tables of `expected` in a restored database, in the text form that the dump has; the largest first, by two sessions where there are two. */
export async function digestDatabase(
  access: DatabaseAccess,
  expected: readonly TableDigest[],
  facts: DumpFacts,
  signal: AbortSignal,
): Promise<readonly TableDigest[]> {
  const sizes = new Map(facts.tables.map(({ schema, table, bytes }) => [qualifiedName(schema, table), bytes]));
  const sizeOf = (position: number): number => {
    const { schema, table } = expected[position] as TableDigest;
    return sizes.get(qualifiedName(schema, table)) ?? 0;
  };
  const open = [...expected.keys()].sort((left, right) => sizeOf(right) - sizeOf(left));
  const work: DigestWork = { access, encoding: facts.encoding, signal, open, expected, found: [] };
  // A server that has no room for a second session is read by the first alone.
  const lanes = Array.from({ length: Math.min(LANES, Math.max(1, expected.length)) }, () => digestLane(work));
  const ends = await Promise.allSettled(lanes);
  const failed = ends.filter((end) => end.status === 'rejected');
  const isWhole = expected.every((_table, position) => work.found[position] !== undefined);
  if (failed[0] && !isWhole) {
    signal.throwIfAborted();
    throw failed[0].reason;
  }
  return work.found;
}

/** Sequences that do not stand where the dump set them. */
export function differingSequences(access: DatabaseAccess, facts: DumpFacts): Promise<readonly string[]> {
  return withClient(access, { statementFailure: 'RESTORE_FAILED' }, async (client) => {
    const differing: string[] = [];
    for (const { name, value, called } of facts.sequences) {
      // The name is quoted as SQL in the dump; regclass reads it as such and prints it safely.
      const [[safe] = []] = await rowsOf(client, 'SELECT pg_catalog.to_regclass($1)::text', [name]);
      const [[last, isCalled] = []] = safe ? await rowsOf(client, `SELECT last_value, is_called FROM ${safe}`) : [];
      if (last !== value || isCalled !== (called ? 't' : 'f')) differing.push(name);
    }
    return differing;
  });
}
