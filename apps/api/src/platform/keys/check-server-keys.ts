import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@rahatback/contracts';
import type { SqlRunner } from '../database/schema-check.js';
import { KEYS_INDEX, readKek, readKekSlot } from './key-index.js';
import { isProved, knownKeys, noteKey, sealingKeys } from './kek-rows.js';
import { loadKeys } from './load-keys.js';

const missing = (kid: string): AppError =>
  new AppError(
    'CONFIG_INVALID',
    `This database holds secrets that the server key ${kid} sealed, and KEYS_DIR does not have it. Put the keys folder of this database back. Nothing was changed.`,
  );

/**
 * Whether the keys folder belongs to this database. Makes keys only for a database that has met none, and notes those that it meets.
 * @throws AppError CONFIG_INVALID when a key that sealed something is missing or has other bytes
 */
export async function checkServerKeys(client: SqlRunner, keysDir: string): Promise<void> {
  const known = await knownKeys(client);
  const inUse = new Set([...(await sealingKeys(client)), ...known.filter((key) => key.emptiedAt === null).map(({ kid }) => kid)]);
  const hasIndex = await stat(join(keysDir, KEYS_INDEX)).then(
    () => true,
    () => false,
  );
  const [first] = inUse;
  if (!hasIndex && first !== undefined) throw missing(first);
  await loadKeys(keysDir);
  const { live } = await readKekSlot(keysDir);
  for (const kid of inUse) if (!live.includes(kid)) throw missing(kid);
  for (const kid of live) {
    const key = { kid, key: await readKek(keysDir, kid) };
    const proof = known.find((one) => one.kid === kid)?.proof;
    if (proof === undefined) await noteKey(client, key);
    else if (!isProved(key, proof)) throw otherBytes(kid);
  }
}

const otherBytes = (kid: string): AppError =>
  new AppError(
    'CONFIG_INVALID',
    `The server key ${kid} in KEYS_DIR is not the one that this database knows under that name. Put the keys folder of this database back. Nothing was changed.`,
  );
