import type { BackupLocation, BackupToRead, CommandEnvelope, DatabaseType } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import {
  postgresEngine,
  type BackupToOpen,
  type IndexCache,
  type SeenObjects,
  type ClientTools,
  type DatabaseEngine,
} from '@rahatback/backup-core';
import { openWithAgentKey } from '@rahatback/crypto';
import { SignedUrlSource, type BackupSource } from '@rahatback/storage/agent';
import { reportBase, type Execution } from '../commands/executor.js';
import type { ServerLink } from '../connection/server-link.js';
import type { ServerRequests } from '../connection/server-requests.js';
import type { ChildProcess } from '../journal/journal-record.js';
import type { AgentLog } from '../log.js';
import type { AgentHome } from '../state/agent-home.js';
import type { AgentIdentity, AgentKeys } from '../state/identity.store.js';
import { assertTrusted } from '../state/trusted-agents.js';
import { openSecret } from './sealed-secrets.js';
import { agentFolderSource } from '../storage/agent-folder.js';
import { downloadControl } from './transfer-control.js';

/** What every executor works with. */
export interface ExecutorParts {
  readonly identity: AgentIdentity;
  readonly keys: AgentKeys;
  readonly requests: ServerRequests;
  readonly link: ServerLink;
  readonly log: AgentLog;
  readonly tools: (engine: DatabaseEngine) => Promise<readonly ClientTools[]>;
  readonly indexes: IndexCache;
  readonly seen: SeenObjects;
  readonly home: AgentHome;
  /** How long a dump tool may write nothing; left out: the engine's default. */
  readonly stallMs?: number;
}

const ENGINES: readonly DatabaseEngine[] = [postgresEngine];

/** @throws AppError ENGINE_UNSUPPORTED */
export function engineOf(type: DatabaseType): DatabaseEngine {
  const engine = ENGINES.find((known) => known.type === type);
  if (engine !== undefined) return engine;
  throw new AppError('ENGINE_UNSUPPORTED', `This agent cannot back up ${type} yet: upgrade it, or choose another agent.`);
}

export const openerOf = ({ identity, keys }: Pick<ExecutorParts, 'identity' | 'keys'>) => ({
  agentId: identity.agentId,
  sealPrivateKey: keys.seal.privateKey,
});

export interface OwnBackups {
  /** How to read one backup of the command: this agent's own, or one whose maker and key the command names. */
  open(location: BackupLocation): BackupToOpen;
  /** Lets the kept connections go. */
  close(): void;
}

/** Under which a data key is sealed to an agent (AAD); the subject is the backup's id. */
export const BACKUP_KEY_VERSION = 1;
const DEK_BASE64 = /^[A-Za-z0-9+/]{43}=$/;

type Reading = Pick<BackupToRead, 'agentPath' | 'keyRef' | 'signedBy'>;

/** What a command says of its backups besides where they are; one that builds on a chain reads only what this agent made. */
function readingOf({ payload }: CommandEnvelope): Reading {
  const agentPath = 'agentPath' in payload ? payload.agentPath : null;
  return 'keyRef' in payload
    ? { agentPath, keyRef: payload.keyRef, signedBy: payload.signedBy }
    : { agentPath, keyRef: null, signedBy: null };
}

/** A data key that came with the command. @throws AppError COMMAND_REFUSED, WRONG_KEY */
async function openBackupKey(parts: ExecutorParts, command: CommandEnvelope, ref: string): Promise<Buffer> {
  const plain = await openSecret(command, { ref, purpose: 'backup-key' }, openerOf(parts));
  const text = plain.toString('latin1');
  plain.fill(0);
  if (DEK_BASE64.test(text)) return Buffer.from(text, 'base64');
  throw new AppError('WRONG_KEY', 'The key that came with the command is not a data key. Seal it again, then restore again.');
}

/** @throws AppError AGENT_POLICY_REFUSED for a maker that nobody at this machine trusts, MANIFEST_INVALID for one that the command does not name */
function makerKey(parts: ExecutorParts, { signedBy }: Reading, made: { agentId: string; backupId: string }): string {
  const { identity, keys, home } = parts;
  if (made.agentId === identity.agentId) return keys.sign.publicKey;
  if (signedBy?.agentId !== made.agentId) {
    throw new AppError(
      'MANIFEST_INVALID',
      `Backup ${made.backupId} was made by agent ${made.agentId}, whose key this agent does not know: restore it there, or with the recovery kit.`,
    );
  }
  assertTrusted(home, identity, signedBy, 'believe a backup that it signed');
  return signedBy.signPublicKey;
}

interface Opened {
  readonly source: BackupSource;
  readonly close?: () => void;
}

/** Where one attempt stands: a folder on this machine, or the server's signed URLs. */
function placeOf(parts: ExecutorParts, command: CommandEnvelope, location: BackupLocation, signal: AbortSignal): Opened {
  const { agentPath } = readingOf(command);
  if (agentPath !== null) return { source: agentFolderSource(parts.home, agentPath, location) };
  const source = new SignedUrlSource(downloadControl(parts.requests, reportBase(command), { location, signal }), { signal });
  return { source, close: () => source.close() };
}

/**
 * Backups that a command reads. Their manifests are trusted by this agent's own signature, or by that of an agent which a person at this machine
 * has trusted; they open with this agent's own key, or with a data key that was sealed to it.
 */
export function ownBackups(parts: ExecutorParts, command: CommandEnvelope, signal: AbortSignal): OwnBackups {
  const opened: Opened[] = [];
  const reading = readingOf(command);
  const { keyRef } = reading;
  return {
    open: (location) => {
      const place = placeOf(parts, command, location, signal);
      opened.push(place);
      const { backupId } = location;
      return {
        source: place.source,
        backupId,
        trust: (agentId) => ({ agentPublicKey: makerKey(parts, reading, { agentId, backupId }) }),
        unlock: (keysFile) =>
          keyRef === null ? openWithAgentKey(keysFile, parts.keys.seal.privateKey) : openBackupKey(parts, command, keyRef),
      };
    },
    close: () => opened.forEach((place) => place.close?.()),
  };
}

/** Journals each child process as it starts. A journal that cannot be written must not stop a backup that runs. */
export const childRecorder =
  ({ log }: ExecutorParts, execution: Execution) =>
  (child: ChildProcess): void => {
    execution
      .recordChild(child)
      .catch((error: unknown) =>
        log.warn({ err: error, commandId: execution.command.commandId }, 'A child process was not recorded'),
      );
  };
