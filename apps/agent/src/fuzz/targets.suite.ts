import { AppError, COMMAND_TYPES, type CommandType } from '@rahatback/contracts';
import { CryptoError } from '@rahatback/crypto';
import { mutateJson, REFUSED, STRANGE_VALUES, type FuzzShare, type FuzzTarget, type SeededRandom } from '@rahatback/testing';
import fc from 'fast-check';
import { isEnvelope } from '../commands/envelope-shape.js';
import { openCommand, type CommandTrust } from '../commands/open-command.js';
import { encodeLine, replayJournal } from '../journal/journal-line.js';
import { asRecord } from '../journal/journal-record.js';
import { JournalState } from '../journal/journal-state.js';
import { backupPayload, CONNECTION, newAgent, RECIPIENT, signed } from '../testing/command-factory.js';

const codeOf = (error: unknown): string | null => (error instanceof AppError || error instanceof CryptoError ? error.code : null);
const STRANGE = [...STRANGE_VALUES, ...STRANGE_VALUES, ...fc.sample(fc.jsonValue({ maxDepth: 3 }), { seed: 1, numRuns: 100 })];
const JSON_TOKENS = ['{', '}', '[', ']', '"', '\\"', ',', ':', '\\ud800', '\\ufffd', 'null', '"__proto__":', '1e999', '"body":'];

const id = '0193a0de-7c1c-7000-8000-000000000001';
const location = { backupId: id, fence: 1, backupType: 'full', workspaceId: id, databaseId: id };
const agentKeys = { signPublicKey: 'A', sealPublicKey: 'B' };
/** A payload with all that any type asks for: unknown fields are ignored, so it suits every type. */
const payload = {
  ...backupPayload({ passphrase: { salt: 's', memoryKib: 65_536, passes: 1, parallelism: 1, kekRef: 'kek' } }),
  ...{ backup: location, links: [location], base: [location], agentPath: '/backups', keyRef: null, level: 'FULL' },
  ...{ signedBy: { agentId: id, ...agentKeys }, ...agentKeys, forAgentId: id, fileName: 'a.sql', databaseType: 'postgresql' },
  ...{ restoreId: id, verificationId: id, targetCommandId: id, connection: CONNECTION, recoveryRecipient: RECIPIENT },
  ...{ targetDatabase: 'shop \ufffd', liveDatabase: 'shop', restoredDatabase: 'r', retiredDatabase: 'o', database: 'd' },
  ...{ drainMs: 1_000, parallelism: 1, selection: [{ schema: 'public', table: null }] },
};
const agent = newAgent('https://backup.example');
const { agentId, workspaceId, commandKeyId, commandPublicKey } = agent.identity;
const trust: CommandTrust = { agentId, workspaceId, commandKeyId, commandPublicKey };
const commands = COMMAND_TYPES.map((type: CommandType, sequence) => ({
  ...{ protocol: 1, commandId: id, agentId, workspaceId, sequence, type, resource: 'database:1', fence: 1, payload },
  ...{ issuedAt: '2026-11-20T10:00:00.000Z', expiresAt: '2026-11-20T10:05:00.000Z' },
  sealed: [{ ref: 'password', purpose: 'database-password', subject: 's', version: 1, enc: 'e', ciphertext: 'c' }],
}));
const wireOf = (type: string, frame: unknown): Buffer => Buffer.from(JSON.stringify({ type, frame }));
const parsed = (input: Buffer): { readonly type?: unknown; readonly frame?: unknown } | null => {
  try {
    const value = JSON.parse(input.toString('utf8')) as unknown;
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
};
const frames = commands.map((command) => ({ type: command.type, frame: signed(agent, command) }));

/** A frame from a server that does not have the pinned key, or from somebody on the way. */
const signedCommands: FuzzTarget = {
  name: 'signed command',
  corpus: frames.map(({ type, frame }) => wireOf(type, frame)),
  tokens: JSON_TOKENS,
  build: (random: SeededRandom) => {
    const { type, frame } = random.pick(frames);
    return wireOf(type, mutateJson(random, frame, STRANGE));
  },
  authentic: true,
  codeOf,
  read: (input) => {
    const wire = parsed(input);
    return wire === null ? REFUSED : JSON.stringify(openCommand(wire.type as CommandType, wire.frame, trust));
  },
};

/** A frame that the pinned key signed and that does not keep to the protocol. */
const strangeCommands: FuzzTarget = {
  name: 'signed command, of another shape',
  corpus: frames.map(({ type, frame }) => wireOf(type, frame)),
  build: (random: SeededRandom) => {
    const command = random.pick(commands);
    const altered = JSON.stringify(mutateJson(random, command, STRANGE)).replaceAll(/\\ud[89a-f]../g, '');
    return wireOf(command.type, signed(agent, JSON.parse(altered)));
  },
  codeOf,
  read: signedCommands.read,
};

const envelopes: FuzzTarget = {
  name: 'command envelope',
  corpus: commands.map((command) => Buffer.from(JSON.stringify(command))),
  tokens: JSON_TOKENS,
  build: (random: SeededRandom) => Buffer.from(JSON.stringify(mutateJson(random, random.pick(commands), STRANGE))),
  codeOf,
  read: (input) => (isEnvelope(parsed(input)) ? true : REFUSED),
};

const received = { kind: 'received', id, type: 'job:execute', resource: 'database:1', fence: 1, sequence: 1 };
const records: readonly (readonly unknown[])[] = [
  [{ ...received, expiresAt: '2026-11-20T10:05:00.000Z', command: frames[0]?.frame ?? null, target: null }],
  [
    { kind: 'running', id },
    { kind: 'process', id, process: { pid: 1, startTicks: '2' } },
    { kind: 'published', id, report: {} },
  ],
  [
    { kind: 'prepared', id, report: { a: 'ş' } },
    { kind: 'fence', resource: 'database:1', highest: 2, executed: 1 },
  ],
  [
    { kind: 'ended', id, state: 'completed', result: { event: 'backup:completed', message: {} } },
    { kind: 'confirmed', id },
  ],
];
const journalOf = (batches: readonly (readonly unknown[])[]): Buffer =>
  batches.reduce<Buffer>((bytes, batch) => {
    const start = bytes.length;
    return Buffer.concat([bytes, ...batch.map((record) => Buffer.from(encodeLine(start, record)))]);
  }, Buffer.alloc(0));

const journal: FuzzTarget = {
  name: 'journal',
  corpus: [journalOf(records), journalOf(records.slice(0, 2)), journalOf([records.flat()])],
  tokens: ['\n', ' ', '0', '00000000 0 {}\n', 'ffffffff 1 ', ' 999999999999999 ', '{"kind":"', '\0', '\ufeff'],
  build: (random: SeededRandom) =>
    journalOf(records.map((batch) => batch.map((record) => mutateJson(random, record, STRANGE) ?? null))),
  codeOf,
  read: (input) => {
    const { records: found, validBytes, damagedAtByte } = replayJournal(input);
    if (validBytes > input.length || (damagedAtByte ?? 0) > input.length) throw new Error('a place outside of the journal');
    const state = new JournalState();
    for (const value of found) {
      const record = asRecord(value);
      if (record !== undefined) state.apply(record);
    }
    return damagedAtByte === undefined ? state.entries.size : REFUSED;
  },
};

export const AGENT_SHARES: readonly FuzzShare[] = [
  { target: signedCommands, weight: 30 },
  { target: strangeCommands, weight: 10 },
  { target: envelopes, weight: 40 },
  { target: journal, weight: 20 },
];
