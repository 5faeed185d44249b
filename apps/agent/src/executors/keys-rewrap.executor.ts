import { openLink } from '@rahatback/backup-core';
import type { RewrapPayload, RewrapResult, SealedSecret } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { sealSecret } from '@rahatback/crypto';
import { reportBase, type Executor } from '../commands/executor.js';
import { assertTrusted } from '../state/trusted-agents.js';
import { BACKUP_KEY_VERSION, ownBackups, type ExecutorParts } from './executor-parts.js';

const PURPOSE = 'backup-key';

async function sealTo({ forAgentId, sealPublicKey, backup }: RewrapPayload, dek: Buffer): Promise<SealedSecret> {
  const binding = { purpose: PURPOSE, subject: backup.backupId, version: BACKUP_KEY_VERSION } as const;
  const sealed = await sealSecret({
    ...binding,
    agentId: forAgentId,
    recipientPublicKey: sealPublicKey,
    plaintext: dek.toString('base64'),
  });
  return { ref: `${PURPOSE}:${backup.backupId}@${BACKUP_KEY_VERSION}`, ...binding, ...sealed };
}

/**
 * `keys:rewrap`: the data key of one backup, sealed to another agent. The command comes from a server that may be breached, so the receiver must
 * be one that a person at this machine has trusted. @throws AppError AGENT_POLICY_REFUSED before anything is read
 */
export const keysRewrapExecutor =
  (parts: ExecutorParts): Executor<'keys:rewrap'> =>
  async ({ command, signal }) => {
    const { payload } = command;
    const { forAgentId, signPublicKey, sealPublicKey } = payload;
    if (forAgentId === parts.identity.agentId) throw new AppError('COMMAND_REFUSED', 'This agent holds the key already.');
    const receiver = { agentId: forAgentId, signPublicKey, sealPublicKey };
    assertTrusted(parts.home, parts.identity, receiver, 'hand a backup key to it');
    const backups = ownBackups(parts, command, signal);
    try {
      const { dek } = await openLink(backups.open(payload.backup));
      try {
        const message: RewrapResult = { ...reportBase(command), sealed: await sealTo(payload, dek) };
        return { state: 'succeeded', result: { event: 'keys:rewrap:result', message: { ...message } } };
      } finally {
        dek.fill(0);
      }
    } finally {
      backups.close();
    }
  };
