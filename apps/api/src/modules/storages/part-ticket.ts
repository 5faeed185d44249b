import { createHash } from 'node:crypto';
import type { Keyring } from '@rahatback/crypto';
import type { LocalPartPayload, LocalReadPayload } from '@rahatback/storage';
import { readTicket, signTicket } from '../../platform/keys/signed-ticket.js';

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

const PURPOSE = 'part ticket';

/** Everything that the holder may do, and nothing else. No two are alike. */
export const sealTicket = (keyring: Keyring, ticket: PartTicket): string => signTicket(keyring, PURPOSE, ticket);

/** The ticket if this server made it; whether its time is over is for the caller to see. */
export const openTicket = (keyring: Keyring, text: string): PartTicket | undefined =>
  readTicket(keyring, PURPOSE, text) as PartTicket | undefined;

/** What is written down of a used ticket: the ticket itself is a credential. */
export const ticketHash = (text: string): string => createHash('sha256').update(text).digest('hex');
