import type { PreflightFinding } from '@rahatback/contracts';
import { stat, statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { Client } from 'pg';
import type { DumpFacts } from '../../dump/dump-facts.js';
import { rowsOf } from './pg-client.js';

/** Rows on disk, with their headers and indexes, against their text in a dump: a rule of thumb, used where the source cannot be asked. */
const DISK_PER_DUMPED = 2;
const MIB = 1024 * 1024;

const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
const finding = (
  severity: PreflightFinding['severity'],
  message: string,
  details?: Record<string, unknown>,
): PreflightFinding => ({
  subject: 'space',
  severity,
  message,
  ...(details ? { details } : {}),
});

function isThisMachine(host: string): boolean {
  if (host.startsWith('/') || host === 'localhost') return true;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
  return addresses.includes(host);
}

/** What the database takes at the source, when that is on this server; else an estimate from the dump. */
async function neededBytes(client: Client, source: string, facts: DumpFacts): Promise<number> {
  const text = 'SELECT pg_catalog.pg_database_size(datname) FROM pg_catalog.pg_database WHERE datname = $1';
  const [[size] = []] = await rowsOf(client, text, [source]).catch(() => []);
  const dumped = facts.tables.reduce((sum, { bytes }) => sum + bytes, facts.largeObjects.bytes);
  return Math.max(Number(size ?? 0), dumped * DISK_PER_DUMPED);
}

/** Free space below the data directory: SQL cannot tell it, so only for a server on this machine whose directory this user may see. */
async function freeBytes(client: Client, host: string): Promise<number | null> {
  if (!isThisMachine(host)) return null;
  try {
    const [[directory] = []] = await rowsOf(client, "SELECT pg_catalog.current_setting('data_directory')");
    if (!directory || !(await stat(directory)).isDirectory()) return null;
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** Whether the server's disk has room for another copy. */
export async function spaceFinding(
  client: Client,
  { host, source }: { readonly host: string; readonly source: string },
  facts: DumpFacts,
): Promise<PreflightFinding> {
  const needed = await neededBytes(client, source, facts);
  const free = await freeBytes(client, host);
  const details = { neededBytes: needed, freeBytes: free };
  if (free === null)
    return finding(
      'warning',
      `About ${mib(needed)} are needed; how much is free on the server's disk cannot be told from here. Look there.`,
      details,
    );
  if (free < needed)
    return finding(
      'blocker',
      `About ${mib(needed)} are needed, and ${mib(free)} are free on the server's disk. Make room.`,
      details,
    );
  const isTight = free < needed * 2;
  return finding(
    isTight ? 'warning' : 'ok',
    `About ${mib(needed)} are needed, ${mib(free)} are free${isTight ? '. The write-ahead log needs room as well' : ''}.`,
    details,
  );
}
