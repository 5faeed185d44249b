import { helpersSql, rowCounts, rowSteps } from './rows.sql.js';
import { AFTER_ROWS_SQL, SCHEMA_SQL } from './schema.sql.js';

/** What the generator needs of a client of `pg`: one session, because its helper functions are session-local. */
export interface DatabaseSession {
  query(sql: string): Promise<unknown>;
}

export interface RealisticDatabaseOptions {
  /** At least so many MiB of rows, TOAST and large objects, indexes not counted. */
  readonly targetMb: number;
  /** An integer in [0, 2^31). The same seed and size give the same rows. Default 1. */
  readonly seed?: number;
  /** Called before each step with its name. */
  readonly onStep?: (step: string) => void;
}

/** The tables that hold rows of their own (a partitioned table counts once). */
export const REALISTIC_TABLES = [
  'public.Müşteri Tablosu',
  'mağaza.categories',
  'mağaza.products',
  'mağaza.product_images',
  'mağaza.order',
  'mağaza.order_lines',
  'mağaza.events',
  'mağaza.documents',
  'mağaza.awkward_values',
  'mağaza.empty_table',
] as const;

/**
 * Fills an empty UTF-8 database with a small shop's life: jsonb, bytea, enums, arrays, a composite type, a domain, range partitions, views, a
 * materialized view, foreign keys, identity and owned and free sequences, generated columns, a trigger, a policy, large objects, two contrib
 * extensions, Turkish text and names, and values that dumps get wrong. Server-side SQL only: about 15 MiB a second. Not to be run twice in one database.
 * @param session a superuser's (or a database owner's that may create the extensions)
 */
export async function createRealisticDatabase(session: DatabaseSession, options: RealisticDatabaseOptions): Promise<void> {
  const { targetMb, seed = 1, onStep = () => undefined } = options;
  if (!(targetMb > 0) || !Number.isInteger(seed) || seed < 0 || seed >= 2 ** 31) {
    throw new Error('targetMb must be above 0 and seed an integer from 0 to 2147483647');
  }
  const steps = [
    ['schema', SCHEMA_SQL],
    ['phrases', helpersSql(seed)],
    ...rowSteps(rowCounts(targetMb)),
    ['indexes and views', AFTER_ROWS_SQL],
  ] as const;
  await session.query(
    "SET timezone = 'UTC'; SET work_mem = '64MB'; SET maintenance_work_mem = '256MB'; SET synchronous_commit = off",
  );
  for (const [step, sql] of steps) {
    onStep(step);
    await session.query(sql);
  }
  await session.query('DROP TABLE pg_temp.phrases; DISCARD TEMP; RESET ALL');
}
