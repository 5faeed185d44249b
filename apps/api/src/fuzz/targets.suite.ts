import { AppError } from '@rahatback/contracts';
import type { Keyring } from '@rahatback/crypto';
import { mutateJson, REFUSED, STRANGE_VALUES, type FuzzShare, type FuzzTarget, type SeededRandom } from '@rahatback/testing';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { openTicket, sealTicket } from '../modules/storages/part-ticket.js';
import { readTicket, signTicket } from '../platform/keys/signed-ticket.js';
import { AGENT_FRAMES, frameOf } from '../platform/realtime/agent-frames.js';

const codeOf = (error: unknown): string | null => (error instanceof AppError ? error.code : null);
const STRANGE = [...STRANGE_VALUES, ...STRANGE_VALUES, ...fc.sample(fc.jsonValue({ maxDepth: 3 }), { seed: 1, numRuns: 100 })];
const JSON_TOKENS = ['{', '}', '[', ']', '"', ',', ':', '\\ud800', '\\u0000', 'null', '"__proto__":', '1e999', '"commandId":'];

const id = '0193a0de-7c1c-7000-8000-000000000001';
const sha256 = 'ab'.repeat(32);
const md5 = `${'A'.repeat(22)}==`;
const at = '2026-11-20T10:00:00.000Z';
const error = { code: 'DB_UNREACHABLE', message: 'no route', details: { host: 'db' } };

/** A message with all that any event asks for: unknown fields are dropped, so it suits every event that is an object. */
const everything = {
  ...{ agentId: id, commandId: id, backupId: id, restoreId: id, verificationId: id, workspaceId: id, databaseId: id, fence: 3 },
  ...{ deviceName: 'çalışma', platform: 'linux-x64', version: '1.0.0', protocol: 1, generation: 2, signature: md5 },
  tools: [{ name: 'pg_dump', version: '15.20', path: '/usr/bin/pg_dump' }],
  running: [{ commandId: id, resource: 'database:1', fence: 3 }],
  ...{ success: true, serverVersion: '15.20', latencyMs: 1.5, clientTool: 'pg_dump 15.20', compatible: true, error, at },
  ...{ progress: 12.5, currentStep: 'dump', bytesRead: 1, bytesStored: 1, bytesPerSecond: 0.5, etaSeconds: null },
  steps: [{ name: 'dump', at, detail: 'ok' }],
  ...{ logTail: 'line\n', manifestSha256: sha256, brokenLink: { backupId: id, message: 'broken' }, targetDatabase: 'shop' },
  tables: [{ schema: 'public', table: 't', rows: 1, restoredRows: 1, equal: true }],
  ...{ bytesRestored: 1, liveDatabase: 'shop', retiredDatabase: 'shop_old', drainedSessions: 0, status: 'PASSED', reason: null },
  findings: [{ subject: 'backup', severity: 'ok', message: 'fine', details: {} }],
  checks: [{ name: 'manifest', result: 'passed', message: 'fine', evidence: {}, durationMs: 1 }],
  ...{ tablesTotal: 1, tablesEqual: 1, restoreMs: null, path: '/backups/a', sizeBytes: 5, sha256, md5, object: 'data-00001' },
  sealed: { ref: 'r', purpose: 'backup-key', subject: 's', version: 1, enc: 'e', ciphertext: 'c' },
  parts: [{ partNumber: 1, sizeBytes: 5, sha256, md5, etag: 'e' }],
  ...{ partNumber: 1, content: '{}' },
  location: { backupId: id, fence: 1, backupType: 'full', workspaceId: id, databaseId: id },
};
const journal = [{ commandId: id, type: 'job:execute', state: 'running', resource: 'database:1', fence: 3 }];
const messages = Object.keys(AGENT_FRAMES).map((event) => ({ event, message: event === 'agent:journal' ? journal : everything }));

/** A frame as it comes over the socket: any event, any JSON. */
const frames: FuzzTarget = {
  name: 'agent frames',
  corpus: messages.map((message) => Buffer.from(JSON.stringify(message))),
  tokens: [...JSON_TOKENS, ...Object.keys(AGENT_FRAMES)],
  build: (random: SeededRandom) => {
    const { event, message } = random.pick(messages);
    return Buffer.from(JSON.stringify({ event, message: mutateJson(random, message, STRANGE) }));
  },
  codeOf,
  read: (input) => {
    let frame: { event?: unknown; message?: unknown } | null;
    try {
      frame = JSON.parse(input.toString('utf8')) as typeof frame;
    } catch {
      return REFUSED;
    }
    const schema = frameOf(String(frame?.event));
    const read = schema?.safeParse(frame?.message);
    if (!read?.success) return REFUSED;
    // What is let through is what a handler may rely on: plain, and the same when it is checked once more.
    if (schema?.safeParse(read.data).success !== true) throw new Error('a frame that was accepted is refused when read again');
    if (Object.getPrototypeOf(read.data) !== Object.prototype && !Array.isArray(read.data))
      throw new Error('a strange prototype');
    return true;
  },
};

const keyOf = (kid: string) => ({ kid, key: createHash('sha256').update(`rahatback fixtures ${kid}`).digest() });
const keyring: Keyring = { current: keyOf('k2'), previous: keyOf('k1') };
const place = { workspaceId: 'w', subfolder: 'w/default' };
const part = {
  key: 'w/d/b/1/data-00001',
  uploadId: 'u',
  partNumber: 1,
  sizeBytes: 3,
  sha256Hex: sha256,
  md5Base64: md5,
  expiresAt: at,
};
const partTickets = [
  sealTicket(keyring, { ...place, method: 'PUT', part }),
  sealTicket({ current: keyring.previous ?? keyring.current }, { ...place, method: 'PUT', part }),
];
const TICKET_TOKENS = ['.', '..', '=', '-', '_', '+', '/', 'eyJ', 'e30', '%2e', '\0'];

const ticketTarget = (name: string, tickets: readonly string[], open: (text: string) => unknown): FuzzTarget => {
  const read = (input: Buffer): unknown => {
    const ticket = open(input.toString('utf8'));
    return ticket === undefined ? REFUSED : JSON.stringify(ticket);
  };
  return { name, corpus: tickets.map((ticket) => Buffer.from(ticket)), tokens: TICKET_TOKENS, authentic: true, codeOf, read };
};
const downloads = [false, true].map((chain) =>
  signTicket(keyring, 'download ticket', { workspaceId: 'w', backupId: id, fence: 1, chain, expiresAt: at }),
);

export const API_SHARES: readonly FuzzShare[] = [
  { target: frames, weight: 40 },
  { target: ticketTarget('part ticket', partTickets, (text) => openTicket(keyring, text)), weight: 20 },
  { target: ticketTarget('download ticket', downloads, (text) => readTicket(keyring, 'download ticket', text)), weight: 20 },
];
