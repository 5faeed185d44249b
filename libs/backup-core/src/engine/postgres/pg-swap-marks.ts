import type { Client } from 'pg';
import { rowsOf } from './pg-client.js';

/**
 * What a database is to a restore, told by its comment alone, so that it can be read after any crash and by anybody:
 * - `restored`: this restore made it; also once it is the live one;
 * - `retired`: it was live until this restore took its place;
 * - `aside`: this restore made it, it was live, and an undo put it aside;
 * - `swapping`: a swap is under way, or died: its connections are blocked and must be given back.
 */
export type DatabaseRole = 'restored' | 'retired' | 'aside' | 'swapping';

export interface DatabaseMark {
  readonly role: DatabaseRole;
  readonly restoreId: string;
  /** `swapping` only: whether connections were allowed before. */
  readonly allowedConnections: boolean | null;
  /** The comment that the database had before it was marked. */
  readonly comment: string | null;
}

const WORDS: Readonly<Record<DatabaseRole, string>> = {
  restored: 'Restored',
  retired: 'Retired',
  aside: 'Put aside',
  swapping: 'Being swapped',
};
const ROLES = Object.keys(WORDS) as DatabaseRole[];
const MARK =
  /^(Restored|Retired|Put aside|Being swapped) by RahatBack: ([A-Za-z0-9_-]+)(?: \(connections were (allowed|refused)\))?(?:\n([\s\S]*))?$/;

export const markText = ({ role, restoreId, allowedConnections, comment }: DatabaseMark): string => {
  const allowed = allowedConnections === null ? '' : ` (connections were ${allowedConnections ? 'allowed' : 'refused'})`;
  return `${WORDS[role]} by RahatBack: ${restoreId}${allowed}${comment === null ? '' : `\n${comment}`}`;
};

/** The mark in a database's comment; null for a comment of somebody else's. */
export function parseMark(comment: string | null): DatabaseMark | null {
  const [, word, restoreId, allowed, rest] = MARK.exec(comment ?? '') ?? [];
  const role = ROLES.find((known) => WORDS[known] === word);
  if (role === undefined || restoreId === undefined) return null;
  const allowedConnections = allowed === undefined ? null : allowed === 'allowed';
  return { role, restoreId, allowedConnections, comment: rest ?? null };
}

/** One database as the server's catalogue has it. */
export interface MarkedDatabase {
  readonly oid: string;
  readonly name: string;
  readonly allowsConnections: boolean;
  readonly tablespace: string;
  readonly comment: string | null;
  readonly mark: DatabaseMark | null;
}

/** Those of the named databases that exist, by name. */
export async function readDatabases(client: Client, names: readonly string[]): Promise<ReadonlyMap<string, MarkedDatabase>> {
  const text = `SELECT d.oid::text, d.datname, d.datallowconn, t.spcname, pg_catalog.shobj_description(d.oid, 'pg_database')
    FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = ANY($1)`;
  const rows = await rowsOf(client, text, [names]);
  return new Map(
    rows.map(([oid, name, allows, tablespace, comment]) => [
      name ?? '',
      {
        oid: oid ?? '',
        name: name ?? '',
        allowsConnections: allows === 't',
        tablespace: tablespace ?? '',
        comment: comment ?? null,
        mark: parseMark(comment ?? null),
      },
    ]),
  );
}
