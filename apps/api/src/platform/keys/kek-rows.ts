import { AppError } from '@rahatback/contracts';
import { openField, sealField, isCryptoError, type FieldRef, type Keyring, type KeyringKey } from '@rahatback/crypto';
import type { SqlRunner } from '../database/schema-check.js';
import { SEALED_COLUMNS, type SealedColumn } from './sealed-columns.js';

/** Also in the trigger of the migration. */
const RETIREMENT_LOCK = 7_282_841_226;
const PROOF = 'rahatback/1 server key';

export interface KnownKey {
  readonly kid: string;
  readonly proof: string;
  readonly retiredAt: Date | null;
  readonly emptiedAt: Date | null;
}

const placeOfProof = (kid: string): FieldRef => ({ table: 'server_keys', column: 'proof', rowId: kid, workspaceId: '' });

/** Runs `work` in one transaction above the workspaces. */
export async function inSystemTransaction<T>(client: SqlRunner, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    await client.query(`SELECT set_config('app.system', 'on', true)`);
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined); // the connection may be gone
    throw error;
  }
}

/** The keys that this database has met. */
export async function knownKeys(client: SqlRunner): Promise<KnownKey[]> {
  const { rows } = await client.query('SELECT kid, proof, retired_at AS "retiredAt", emptied_at AS "emptiedAt" FROM server_keys');
  return rows as unknown as KnownKey[];
}

/** Notes a key with its proof; a key that is noted already stays as it is. */
export async function noteKey(client: SqlRunner, key: KeyringKey): Promise<void> {
  const proof = sealField({ current: key }, placeOfProof(key.kid), PROOF);
  await client.query('INSERT INTO server_keys (kid, proof) VALUES ($1, $2) ON CONFLICT DO NOTHING', [key.kid, proof]);
}

/** Whether these bytes are the key that this database knows under that id. */
export function isProved(key: KeyringKey, proof: string): boolean {
  try {
    return openField({ current: key }, placeOfProof(key.kid), proof).toString('utf8') === PROOF;
  } catch (error) {
    if (isCryptoError(error)) return false;
    throw error;
  }
}

/** From the end of this transaction on no row that `kid` sealed can be written. Waits for those that are being written. */
export function retireKey(client: SqlRunner, kid: string): Promise<void> {
  return inSystemTransaction(client, async () => {
    await client.query('SELECT pg_advisory_xact_lock($1)', [RETIREMENT_LOCK]);
    await client.query('UPDATE server_keys SET retired_at = coalesce(retired_at, clock_timestamp()) WHERE kid = $1', [kid]);
  });
}

/** How many rows of all sealed columns `kid` sealed. */
export async function countSealedBy(client: SqlRunner, kid: string): Promise<number> {
  return inSystemTransaction(client, async () => {
    let count = 0;
    for (const { table, column } of SEALED_COLUMNS) {
      const { rows } = await client.query(
        `SELECT count(*)::int AS count FROM ${table} WHERE split_part(${column}, '|', 2) = $1`,
        [kid],
      );
      count += Number(rows[0]?.['count']);
    }
    return count;
  });
}

/** The ids of keys that rows are sealed by. */
export async function sealingKeys(client: SqlRunner): Promise<string[]> {
  return inSystemTransaction(client, async () => {
    const found = new Set<string>();
    for (const { table, column } of SEALED_COLUMNS) {
      const { rows } = await client.query(
        `SELECT DISTINCT split_part(${column}, '|', 2) AS kid FROM ${table} WHERE ${column} LIKE '1|%'`,
      );
      for (const { kid } of rows) found.add(String(kid));
    }
    return [...found];
  });
}

function opened(keyring: Keyring, ref: FieldRef, sealed: string): Buffer {
  try {
    return openField(keyring, ref, sealed);
  } catch (error) {
    if (!isCryptoError(error)) throw error;
    const { table, column, rowId } = ref;
    throw new AppError(
      'DATA_CORRUPT',
      `The secret in ${table}.${column} of row ${rowId} does not open: it was altered or copied there. Enter that secret again or delete the row, then rotate again.`,
      { table, column, rowId },
      { cause: error },
    );
  }
}

/**
 * Seals one batch of a column again, under the current key. Answers how many; 0 means that none is left. A row that a request is changing is waited
 * for. May run twice, and by several at once.
 */
export function reseal(client: SqlRunner, place: SealedColumn, keyring: Required<Keyring>, batch: number): Promise<number> {
  const { table, column, id } = place;
  return inSystemTransaction(client, async () => {
    const { rows } = await client.query(
      `SELECT ${id} AS id, workspace_id AS "workspaceId", ${column} AS sealed FROM ${table}
       WHERE split_part(${column}, '|', 2) = $1 ORDER BY ${id} LIMIT $2 FOR UPDATE`,
      [keyring.previous.kid, batch],
    );
    for (const row of rows as { id: string; workspaceId: string; sealed: string }[]) {
      const ref = { table, column, rowId: row.id, workspaceId: row.workspaceId };
      const sealed = sealField(keyring, ref, opened(keyring, ref, row.sealed));
      await client.query(`UPDATE ${table} SET ${column} = $2 WHERE ${id} = $1`, [row.id, sealed]);
    }
    return rows.length;
  });
}
