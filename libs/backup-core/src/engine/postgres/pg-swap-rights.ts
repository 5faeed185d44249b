import { AppError } from '@rahatback/contracts';
import type { Client } from 'pg';
import { quoteIdentifier } from '../../dump/copy-target.js';
import { rowsOf } from './pg-client.js';
import type { Turn } from './pg-swap-state.js';

/** ALTER DATABASE … RENAME is for an owner that may create databases, or a superuser. @throws AppError SWAP_REFUSED with what to run */
export async function assertMayTurn(client: Client, { outgoing, incoming }: Turn, username: string): Promise<void> {
  const text = `SELECT r.rolsuper, r.rolcreatedb, d.datname, pg_catalog.pg_has_role(d.datdba, 'USAGE'), pg_catalog.pg_get_userbyid(d.datdba)
    FROM pg_catalog.pg_roles r, pg_catalog.pg_database d WHERE r.rolname = CURRENT_USER AND d.datname = ANY($1)`;
  const rows = await rowsOf(client, text, [[outgoing.name, incoming.name]]);
  if (rows.some(([isSuper]) => isSuper === 't')) return;
  const user = quoteIdentifier(username);
  const needed = [
    ...(rows.some(([, mayCreate]) => mayCreate !== 't') ? [`ALTER ROLE ${user} CREATEDB;`] : []),
    ...new Set(
      rows.filter(([, , , owns]) => owns !== 't').map(([, , , , owner]) => `GRANT ${quoteIdentifier(owner ?? '')} TO ${user};`),
    ),
  ];
  if (needed.length === 0) return;
  throw new AppError(
    'SWAP_REFUSED',
    `User ${username} may not rename ${outgoing.name} and ${incoming.name}: it must own both and be allowed to create databases. Run as a superuser: ${needed.join(' ')}`,
    { statements: needed },
  );
}
