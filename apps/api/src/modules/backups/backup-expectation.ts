import type { BackupPayload } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { CommandRow } from '../agents/index.js';
import { agentFolderAt } from '../storages/index.js';
import { objectsOf } from './backup-object.repository.js';
import type { Work } from './backup-settlement.service.js';
import type { Expectation } from './manifest-acceptance.js';

/** The order that an attempt was given. */
export const orderOf = async (tx: Tx, { attempt }: Work): Promise<BackupPayload> =>
  (await tx.findOneByOrFail(CommandRow, { id: attempt.commandId })).payload as BackupPayload;

/** What this server knows by itself of an attempt. */
export const expectationOf = async (tx: Tx, { backup, attempt }: Work, signPublicKey: string): Promise<Expectation> => {
  const objects = await objectsOf(tx, { backupId: backup.id, fence: attempt.fence });
  const baseIds = (await orderOf(tx, { backup, attempt })).base.map((location) => location.backupId);
  const isOnAgent = (await agentFolderAt(tx, backup.storageId)) !== null;
  return { backup, fence: attempt.fence, objects, baseIds, signPublicKey, isOnAgent };
};
