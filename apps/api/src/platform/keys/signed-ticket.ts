import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Keyring } from '@rahatback/crypto';

const MAC_SIZE = 32;
const MAX_LENGTH = 4096;

/** A key of its own for each purpose, the same in every process that has the server's keys. */
const macOf = (kek: Uint8Array, purpose: string, body: string): Buffer =>
  createHmac('sha256', Buffer.from(hkdfSync('sha256', kek, '', `rahatback/1 ${purpose}`, 32)))
    .update(body)
    .digest();

/** A credential that says all of itself, in one path segment: `<base64url JSON>.<base64url HMAC-SHA256>`. No two are alike. */
export function signTicket(keyring: Keyring, purpose: string, ticket: object): string {
  const body = Buffer.from(JSON.stringify({ ...ticket, nonce: randomBytes(9).toString('base64url') })).toString('base64url');
  return `${body}.${macOf(keyring.current.key, purpose, body).toString('base64url')}`;
}

/** What `signTicket` was given, if this server made the ticket for this purpose; whether its time is over is for the caller to see. */
export function readTicket(keyring: Keyring, purpose: string, text: string): unknown {
  const [body, mac, ...rest] = text.length > MAX_LENGTH ? [] : text.split('.');
  if (body === undefined || mac === undefined || rest.length > 0) return undefined;
  const given = Buffer.from(mac, 'base64url');
  if (given.length !== MAC_SIZE || given.toString('base64url') !== mac) return undefined;
  const keys = [keyring.current, keyring.previous].filter((key) => key !== undefined);
  if (!keys.some(({ key }) => timingSafeEqual(macOf(key, purpose, body), given))) return undefined;
  return JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as unknown;
}
