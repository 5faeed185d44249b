import type { BackupLocation, CommandEnvelope, DatabaseType } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import {
  postgresEngine,
  type BackupToOpen,
  type IndexCache,
  type ClientTools,
  type DatabaseEngine,
} from '@rahatback/backup-core';
import { openWithAgentKey } from '@rahatback/crypto';
import { SignedUrlSource } from '@rahatback/storage/agent';
import { reportBase, type Execution } from '../commands/executor.js';
import type { ServerLink } from '../connection/server-link.js';
import type { ServerRequests } from '../connection/server-requests.js';
import type { ChildProcess } from '../journal/journal-record.js';
import type { AgentLog } from '../log.js';
import type { AgentIdentity, AgentKeys } from '../state/identity.store.js';
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
  /** How to read one backup that this agent made. */
  open(location: BackupLocation): BackupToOpen;
  /** Lets the kept connections go. */
  close(): void;
}

/** Backups of this agent, read through the server's signed URLs, trusted by the agent's own signature and opened with its own key. */
export function ownBackups(parts: ExecutorParts, command: CommandEnvelope, signal: AbortSignal): OwnBackups {
  const { requests, identity, keys } = parts;
  const sources: SignedUrlSource[] = [];
  return {
    open: (location) => {
      const source = new SignedUrlSource(downloadControl(requests, reportBase(command), { location, signal }), { signal });
      sources.push(source);
      return {
        source,
        backupId: location.backupId,
        trust: (agentId) => {
          if (agentId === identity.agentId) return { agentPublicKey: keys.sign.publicKey };
          throw new AppError(
            'MANIFEST_INVALID',
            `Backup ${location.backupId} was made by agent ${agentId}, whose key this agent does not know: restore it there, or with the recovery kit.`,
          );
        },
        unlock: (keysFile) => openWithAgentKey(keysFile, keys.seal.privateKey),
      };
    },
    close: () => sources.forEach((source) => source.close()),
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
