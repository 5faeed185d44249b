import { pino, type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from './config/agent-config.js';

export type AgentLog = Logger;

/** Names under which a secret could ever stand, at any depth that we log. The URL of a signed request is a credential too. */
const SECRET_NAMES = [
  'password',
  'passphrase',
  'secret',
  'secretAccessKey',
  'sessionToken',
  'privateKey',
  'identity',
  'code',
  'token',
  'url',
  'ciphertext',
  'sealed',
  'signature',
  'kek',
  'dek',
  'authorization',
];
// An error's `code` is one of our words and must stay readable; an enrolment code is only ever logged at the top.
const NESTED_NAMES = SECRET_NAMES.filter((name) => name !== 'code');

const redactPaths = [...SECRET_NAMES, ...NESTED_NAMES.flatMap((name) => [`*.${name}`, `*.*.${name}`, `*.*.*.${name}`])];

/** One JSON object per line, to standard output unless told otherwise. */
export const createLog = (level: LogLevel, destination?: DestinationStream): AgentLog => {
  const options = { level, base: null, redact: { paths: redactPaths, censor: '[redacted]' } };
  return destination === undefined ? pino(options) : pino(options, destination);
};
