import { createHash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const PREFIX = 'rbk_';
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 43 digits of base 62 are 256 bits. */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const SHOWN_LENGTH = 10;

const FORM = new RegExp(`^${PREFIX}([0-9A-Za-z]{${SECRET_LENGTH}})([0-9A-Za-z]{${CHECKSUM_LENGTH}})$`);

/** CRC-32 of the secret in base 62: a scanner for leaked secrets tells a token from a text that looks like one, without asking us. */
function checksumOf(secret: string): string {
  let rest = crc32(secret);
  let text = '';
  for (let digit = 0; digit < CHECKSUM_LENGTH; digit += 1) {
    text = `${DIGITS[rest % DIGITS.length]}${text}`;
    rest = Math.floor(rest / DIGITS.length);
  }
  return text;
}

/** `rbk_`, 43 random digits, 6 of checksum. */
export function newApiToken(): string {
  const secret = Array.from({ length: SECRET_LENGTH }, () => DIGITS[randomInt(DIGITS.length)]).join('');
  return `${PREFIX}${secret}${checksumOf(secret)}`;
}

export const hasApiTokenPrefix = (text: string): boolean => text.startsWith(PREFIX);

/** Whether form and checksum are right: nothing else is worth a look into the database. */
export function isWellFormed(text: string): boolean {
  const [, secret, checksum] = FORM.exec(text) ?? [];
  return secret !== undefined && checksumOf(secret) === checksum;
}

export const apiTokenSha256 = (token: string): string => createHash('sha256').update(token).digest('hex');

/** What may be shown of it afterwards. */
export const shownPrefix = (token: string): string => token.slice(0, SHOWN_LENGTH);
