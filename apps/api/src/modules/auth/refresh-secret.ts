import { createHash, createHmac, randomBytes } from 'node:crypto';

const TOKEN = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.([A-Za-z0-9_-]{43})$/;

/** A refresh token is `id.secret`: the id finds the row, the secret (256 bits, base64url) proves it. */
export interface RefreshToken {
  readonly id: string;
  readonly secret: string;
}

export const newRefreshSecret = (): string => randomBytes(32).toString('base64url');
export const refreshSecretSha256 = (secret: string): string => createHash('sha256').update(secret).digest('hex');
export const formatRefreshToken = ({ id, secret }: RefreshToken): string => `${id}.${secret}`;

export function parseRefreshToken(text: string | undefined): RefreshToken | undefined {
  const [, id, secret] = TOKEN.exec(text ?? '') ?? [];
  return id !== undefined && secret !== undefined ? { id, secret } : undefined;
}

/**
 * The successor's secret is a MAC over its id and its parent's secret: whoever shows the parent again within the grace gets the very same
 * successor, although only hashes are stored. Without the server's key nobody can walk the chain forward.
 */
export const successorSecret = (serverKey: Buffer, parentSecret: string, successorId: string): string =>
  createHmac('sha256', serverKey).update(`refresh-successor\0${successorId}\0${parentSecret}`).digest('base64url');
