import { Injectable } from '@nestjs/common';
import type { BackupLocation, BackupPayload, BackupToRead, CommandType, DownloadOpenAnswer } from '@rahatback/contracts';
import { AppError, TERMINAL_COMMAND_STATES } from '@rahatback/contracts';
import { AppConfig } from '../../platform/config/app-config.js';
import { Database } from '../../platform/database/database.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { CommandRow } from '../agents/index.js';
import { fieldsOf, reportOf, storedObjectOf, uuidOf } from './agent-frames.js';
import { fenced } from './attempt-guard.service.js';
import { AttemptStorage } from './attempt-storage.service.js';
import { objectKey } from './backup-object.repository.js';
import { readBackup } from './backup.repository.js';

/** Commands whose payload names one backup to read, with its links. */
const READING: readonly CommandType[] = [
  'restore:execute',
  'restore:preflight',
  'verification:execute',
  'backup:export',
  'keys:rewrap',
];

/** What a command gives its agent to read: the chain that a backup builds on, or the backup to restore or to verify with its links. */
export const readableBy = (command: Pick<CommandRow, 'type' | 'payload'>): readonly BackupLocation[] => {
  if (command.type === 'job:execute') return (command.payload as BackupPayload).base;
  if (!READING.includes(command.type)) return [];
  const { backup, links } = command.payload as BackupToRead;
  return [backup, ...links];
};

/** Signed reading, one object at a time, and only of what a command at work names: a stolen agent reads nothing else. */
@Injectable()
export class BackupDownloads {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly storage: AttemptStorage,
  ) {}

  async open(agent: AgentSession, message: unknown): Promise<DownloadOpenAnswer> {
    const report = reportOf(message);
    const object = storedObjectOf(message);
    const wanted = fieldsOf(fieldsOf(message)['location']);
    const backupId = uuidOf(wanted['backupId'], 'location.backupId');
    const { backend, key } = await this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const command = await tx.findOneBy(CommandRow, { id: report.commandId, agentId: agent.agentId });
      if (command === null) throw new AppError('NOT_FOUND', 'This agent has no such command.');
      if (command.fence !== report.fence || TERMINAL_COMMAND_STATES.includes(command.state)) throw fenced();
      const location = readableBy(command).find((named) => named.backupId === backupId && named.fence === wanted['fence']);
      if (location === undefined) throw new AppError('FORBIDDEN', 'The command does not name that backup: it may not be read.');
      const backup = await readBackup(tx, location.backupId);
      if (backup?.status !== 'success' || backup.deletedAt !== null || backup.fence !== location.fence) {
        throw new AppError('OBJECT_MISSING', 'That backup is no longer there.', { backupId });
      }
      return { backend: await this.storage.open(tx, backup), key: objectKey(location, object) };
    });
    const stat = await backend.stat(key);
    if (stat === undefined) throw new AppError('OBJECT_MISSING', `${object} is not in the storage.`, { object });
    const request = await backend.signRead({ key, expiresInSeconds: this.config.uploadUrlSeconds });
    const { sizeBytes, stamp } = stat;
    return { sizeBytes, request, ...(stamp === undefined ? {} : { stamp }) };
  }
}
