import { randomBytes } from 'node:crypto';
import type { DatabaseConnectionDto } from '@rahatback/contracts';
import { createRealisticDatabase, startPostgres } from '@rahatback/testing';
import { Client } from 'pg';

export interface CustomerDatabase {
  readonly connection: DatabaseConnectionDto;
  /** Superuser's URL, for the second opinion; default: the customer's database. */
  url(database?: string): string;
  stop(): Promise<void>;
}

const NAME = 'magaza';
const ROLE = 'yedek';

/** A private server of the customer, with a realistic database that a role of its own backs up. */
export async function makeCustomerDatabase(targetMb: number): Promise<CustomerDatabase> {
  const server = await startPostgres({ settings: { shared_buffers: '128MB', max_wal_size: '4GB' } });
  const password = randomBytes(12).toString('base64url');
  await server.query(`CREATE ROLE ${ROLE} LOGIN SUPERUSER PASSWORD '${password}'`);
  await server.query(`CREATE DATABASE ${NAME} OWNER ${ROLE} TEMPLATE template0`);
  const url = (database = NAME): string => server.url(database);
  const client = new Client({ connectionString: url() });
  await client.connect();
  try {
    await createRealisticDatabase(client, { targetMb, seed: 20_261_120 });
  } finally {
    await client.end();
  }
  return {
    connection: {
      type: 'postgresql',
      host: server.host,
      port: server.port,
      username: ROLE,
      password,
      database: NAME,
      tlsMode: 'disable',
    },
    url,
    stop: () => server.stop(),
  };
}
