import { createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Keyring } from '@rahatback/crypto';
import type { LocalPartPayload, LocalReadPayload } from '@rahatback/storage';

/** Which storage of which workspace: the folder below the server's storage root. */
export interface LocalPlace {
  readonly workspaceId: string;
  readonly subfolder: string;
}

export interface PutTicket extends LocalPlace {
  readonly method: 'PUT';
  readonly part: LocalPartPayload;
}
export interface GetTicket extends LocalPlace {
  readonly method: 'GET';
  readonly read: LocalReadPayload;
}
export type PartTicket = PutTicket | GetTicket;

const MAC_SIZE = 32;
const MAX_LENGTH = 4096;

/** A key of its own for tickets, the same in every process that has the server's keys. */
const ticketKey = (kek: Uint8Array): Buffer => Buffer.from(hkdfSync('sha256', kek, '', 'rahatback/1 part ticket', 32));
const macOf = (kek: Uint8Array, body: string): Buffer => createHmac('sha256', ticketKey(kek)).update(body).digest();

/** Everything that the holder may do, and nothing else, in one path segment: `<base64url JSON>.<base64url HMAC-SHA256>`. No two are alike. */
export function sealTicket(keyring: Keyring, ticket: PartTicket): string {
  const body = Buffer.from(JSON.stringify({ ...ticket, nonce: randomBytes(9).toString('base64url') })).toString('base64url');
  return `${body}.${macOf(keyring.current.key, body).toString('base64url')}`;
}

/** The ticket if this server made it; whether its time is over is for the caller to see. */
export function openTicket(keyring: Keyring, text: string): PartTicket | undefined {
  const [body, mac, ...rest] = text.length > MAX_LENGTH ? [] : text.split('.');
  if (body === undefined || mac === undefined || rest.length > 0) return undefined;
  const given = Buffer.from(mac, 'base64url');
  if (given.length !== MAC_SIZE || given.toString('base64url') !== mac) return undefined;
  const keys = [keyring.current, keyring.previous].filter((key) => key !== undefined);
  if (!keys.some(({ key }) => timingSafeEqual(macOf(key, body), given))) return undefined;
  return JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as PartTicket;
}

/** What is written down of a used ticket: the ticket itself is a credential. */
export const ticketHash = (text: string): string => createHash('sha256').update(text).digest('hex');
