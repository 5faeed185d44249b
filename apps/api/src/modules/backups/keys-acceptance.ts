import type { BackupPayload } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { CryptoError, parseKeysFile, type KeysFile } from '@rahatback/crypto';

const invalid = (sentence: string): AppError =>
  new AppError('KEYS_INVALID', `The keys file is refused: ${sentence}. Run the backup again.`);

const parse = (content: Uint8Array): KeysFile => {
  try {
    return parseKeysFile(content);
  } catch (error) {
    if (error instanceof CryptoError) throw new AppError(error.code, error.message, undefined, { cause: error });
    throw error;
  }
};

/**
 * A backup that only its agent could open would be lost with that agent: its keys must also open with the workspace's recovery key, and with the
 * job's passphrase where there is one.
 * @throws AppError KEYS_INVALID, FORMAT_UNSUPPORTED
 */
export const checkKeys = (object: string, content: Uint8Array, order: BackupPayload, agentId: string): void => {
  const file = parse(content);
  const { location, recoveryRecipient, passphrase } = order;
  if (file.backupId !== location.backupId || file.workspace !== location.workspaceId || file.database !== location.databaseId) {
    throw invalid('it belongs to another backup');
  }
  if (object !== `keys-${file.generation}.json`) throw invalid('its name does not say its generation');
  if (!file.slots.some((slot) => slot.type === 'hpke' && slot.agentId === agentId)) throw invalid('it has no slot for its agent');
  if (!file.slots.some((slot) => slot.type === 'age' && slot.recipients.includes(recoveryRecipient))) {
    throw invalid("it has no slot for the workspace's recovery key");
  }
  if (passphrase !== null && !file.slots.some((slot) => slot.type === 'argon2id' && slot.salt === passphrase.salt)) {
    throw invalid('it has no slot for the passphrase of the job');
  }
};
