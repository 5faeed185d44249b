import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { newId } from '../../platform/ids.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import { readTicket, signTicket } from '../../platform/keys/signed-ticket.js';

const PURPOSE = 'known-device';
const DAY_MS = 86_400_000;
const DEVICE_DAYS = 90;

const ticketSchema = z.object({ account: z.string(), version: z.string(), device: z.string(), at: z.number() });

/** An account (the address in lower case) and which of its passwords: see `KnownPerson`. */
export interface DeviceAccount {
  readonly account: string;
  readonly credentialsVersion: string;
}

export interface IssuedDevice {
  readonly token: string;
  readonly expiresAt: Date;
}

const digest = (account: string): string => createHash('sha256').update(account).digest('base64url');

/**
 * Remembers on the device that it once logged in to an account. The token opens nothing: it only keeps guesses of others from binding this
 * device. It ends after 90 days without a log-in and with a change of password.
 */
@Injectable()
export class KnownDevices {
  constructor(private readonly keys: ServerKeys) {}

  /** A device that is known keeps its id. */
  issue({ account, credentialsVersion }: DeviceAccount, device: string = newId()): IssuedDevice {
    const at = Date.now();
    const ticket = { account: digest(account), version: credentialsVersion, device, at };
    return { token: signTicket(this.keys.kek, PURPOSE, ticket), expiresAt: new Date(at + DEVICE_DAYS * DAY_MS) };
  }

  /** The device's id; undefined for anything but an unexpired token of this account with this password. */
  read(token: string | undefined, { account, credentialsVersion }: DeviceAccount): string | undefined {
    const { data } = ticketSchema.safeParse(token === undefined ? undefined : readTicket(this.keys.kek, PURPOSE, token));
    const isOurs = data?.account === digest(account) && data.version === credentialsVersion;
    return isOurs && data.at > Date.now() - DEVICE_DAYS * DAY_MS ? data.device : undefined;
  }
}
