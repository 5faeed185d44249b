import type { ErrorCode, TlsMode } from '@rahatback/contracts';
import { Client, type ClientConfig } from 'pg';
import type { DatabaseAccess } from '../database-engine.js';
import { asDatabaseError } from './pg-errors.js';

const CONNECT_TIMEOUT_MS = 10_000;

/** Every PostgreSQL has it, and nobody restores over it. */
export const MAINTENANCE_DATABASE = 'postgres';

export interface ClientOptions {
  /** Default: that of the connection. */
  readonly database?: string;
  /** How long one statement may take; 0 is for ever. Default ten seconds. */
  readonly statementTimeoutMs?: number;
  /** Code of an error that is about a statement and not about the connection; default DB_UNREACHABLE. */
  readonly statementFailure?: ErrorCode;
}

/** libpq's meaning of the modes: only the verify modes check the certificate, only verify-full the host name as well. */
function tlsOf(mode: TlsMode, { connection }: DatabaseAccess): ClientConfig['ssl'] {
  if (mode === 'disable') return false;
  const verify = mode === 'verify-ca' || mode === 'verify-full';
  return {
    rejectUnauthorized: verify,
    ...(verify && connection.tlsCa !== null ? { ca: connection.tlsCa } : {}),
    ...(mode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
  };
}

async function connect(access: DatabaseAccess, options: ClientOptions, mode: TlsMode): Promise<Client> {
  const { connection, password } = access;
  const { statementTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  const client = new Client({
    host: connection.host,
    port: connection.port,
    user: connection.username,
    database: options.database ?? connection.database,
    password: password ?? '',
    ssl: tlsOf(mode, access),
    application_name: 'rahatback',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...(statementTimeoutMs > 0 ? { query_timeout: statementTimeoutMs, statement_timeout: statementTimeoutMs } : {}),
  });
  // A connection cut between two statements is seen by the next one.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** `prefer` tries TLS and, as libpq does, goes on without where the server has none. */
async function connectAsAsked(access: DatabaseAccess, options: ClientOptions): Promise<Client> {
  const { tlsMode } = access.connection;
  const socket = access.connection.host.startsWith('/');
  if (tlsMode !== 'prefer') return connect(access, options, socket ? 'disable' : tlsMode);
  if (socket) return connect(access, options, 'disable');
  try {
    return await connect(access, options, 'require');
  } catch (error) {
    if (!/does not support SSL/i.test((error as Error).message)) throw error;
    return connect(access, options, 'disable');
  }
}

/** Runs `work` on a connection of its own. @throws AppError of asDatabaseError */
export async function withClient<T>(
  access: DatabaseAccess,
  options: ClientOptions,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  try {
    const client = await connectAsAsked(access, options);
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  } catch (error) {
    throw asDatabaseError(error, access.connection, options.statementFailure);
  }
}

/** One statement, rows as arrays of text. */
export async function rowsOf(client: Client, text: string, values: readonly unknown[] = []): Promise<(string | null)[][]> {
  const types = { getTypeParser: () => (value: string) => value };
  const { rows } = await client.query<(string | null)[]>({ text, values: [...values], rowMode: 'array', types } as never);
  return rows;
}
