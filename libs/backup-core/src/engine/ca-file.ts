import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseAccess } from './database-engine.js';

/**
 * Runs `work` with the connection's CA certificate (which is no secret) in a file of its own, as client tools want it; the file is gone
 * afterwards, whatever happens.
 */
export async function withCaFile<T>(access: DatabaseAccess, work: (access: DatabaseAccess) => Promise<T>): Promise<T> {
  const { tlsCa } = access.connection;
  if (tlsCa === null || access.caFile !== undefined) return work(access);
  const folder = await mkdtemp(join(tmpdir(), 'rahatback-ca-'));
  try {
    const caFile = join(folder, 'ca.pem');
    await writeFile(caFile, tlsCa, { mode: 0o600 });
    return await work({ ...access, caFile });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
