import { Injectable } from '@nestjs/common';
import type { BackupLocation, SealedKeyDto, SealedSecret, SigningAgent } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { Tx } from '../../platform/database/database.js';
import { AgentDirectory, AgentRow, CommandOutbox } from '../agents/index.js';
import { locationOf, type BackupRow } from '../backups/index.js';
import { agentPathOf } from '../storages/index.js';
import type { RestoreSubject } from './restore-subjects.service.js';

/** How the agent that restores gets at the data key. */
export type KeyPlan =
  /** It made the backup: the keys file has a slot for it. */
  | { readonly kind: 'own' }
  /** Somebody with the recovery identity sealed the key to it. */
  | { readonly kind: 'sealed'; readonly key: BackupKey }
  /** The agent that made the backup is asked to seal the key to it. */
  | { readonly kind: 'handover'; readonly maker: AgentRow };

/** A data key that only the restoring agent opens, and whose signature its manifest bears. */
export interface BackupKey {
  readonly secret: SealedSecret;
  readonly signedBy: SigningAgent;
}

interface Handover {
  readonly resource: string;
  readonly fence: number;
  readonly maker: AgentRow;
  readonly receiver: AgentRow;
  readonly backup: BackupRow;
  readonly links: readonly BackupLocation[];
}

const PURPOSE = 'backup-key';
/** With the agent's and the backup's id: under what a data key is sealed. */
export const keyBinding = (agentId: string, backupId: string) =>
  ({ agentId, purpose: PURPOSE, subject: backupId, version: KEY_VERSION }) as const;
const KEY_VERSION = 1;
const LIMIT_MS = 60_000;
/** Base64 of X25519's 32 bytes, and of 44 characters with an AES-GCM tag; some room for other suites. */
const MAX_ENC = 200;
const MAX_CIPHERTEXT = 500;

const signingAgentOf = ({ id, signPublicKey, sealPublicKey }: AgentRow): SigningAgent => ({
  agentId: id,
  signPublicKey,
  sealPublicKey,
});

const secretOf = (backupId: string, { enc, ciphertext }: SealedKeyDto): SealedSecret => ({
  ref: `${PURPOSE}:${backupId}@${KEY_VERSION}`,
  purpose: PURPOSE,
  subject: backupId,
  version: KEY_VERSION,
  enc,
  ciphertext,
});

const sealedText = (value: unknown, maxLength: number): string => {
  if (typeof value === 'string' && value.length <= maxLength && /^[A-Za-z0-9+/]+={0,2}$/.test(value)) return value;
  throw new AppError('WS_BAD_FRAME', 'The message is not understood: sealed must hold enc and ciphertext in base64.');
};

/** The sealed key of an agent's answer; what it is for is said by us, never by the agent. @throws AppError WS_BAD_FRAME */
export function handedOver(backupId: string, sealed: unknown): SealedSecret {
  const { enc, ciphertext } = (typeof sealed === 'object' && sealed !== null ? sealed : {}) as Partial<SealedSecret>;
  return secretOf(backupId, { enc: sealedText(enc, MAX_ENC), ciphertext: sealedText(ciphertext, MAX_CIPHERTEXT) });
}

/** Gets the data key of a backup to an agent that did not make it. The server only carries what it cannot open. */
@Injectable()
export class KeyHandover {
  constructor(
    private readonly agents: AgentDirectory,
    private readonly outbox: CommandOutbox,
  ) {}

  /** @throws AppError AGENT_OFFLINE naming both ways when the maker is away and no key came along */
  async plan(tx: Tx, { backup, agent }: RestoreSubject, sealedKey: SealedKeyDto | undefined): Promise<KeyPlan> {
    if (sealedKey === undefined && backup.agentId === agent.id) return { kind: 'own' };
    const maker = await this.agents.get(tx, backup.workspaceId, backup.agentId);
    if (sealedKey !== undefined) {
      return { kind: 'sealed', key: this.keyOf(maker, secretOf(backup.id, sealedKey)) };
    }
    if (this.agents.isOnline(maker)) return { kind: 'handover', maker };
    throw new AppError(
      'AGENT_OFFLINE',
      `The agent on ${agent.deviceName} has no key to this backup, and the agent on ${maker.deviceName}, which made it, is offline. ` +
        `Start that agent, or open the key with the recovery identity (console: restore with recovery kit) and send it as sealedKey.`,
      { agentId: maker.id, lastSeenAt: maker.lastSeenAt?.toISOString() ?? null, sealedKeyAccepted: true },
    );
  }

  keyOf(maker: AgentRow, secret: SealedSecret): BackupKey {
    return { secret, signedBy: signingAgentOf(maker) };
  }

  /** Asks the maker. It hands over only to an agent that a person at its machine has trusted. @returns the command's id */
  async ask(tx: Tx, { resource, fence, maker, receiver, backup, links }: Handover): Promise<string> {
    const { signPublicKey, sealPublicKey } = receiver;
    return this.outbox.enqueue(tx, {
      workspaceId: backup.workspaceId,
      agentId: maker.id,
      type: 'keys:rewrap',
      resource,
      fence,
      payload: {
        backup: locationOf(backup),
        links,
        agentPath: await agentPathOf(tx, backup.storageId, maker.id),
        keyRef: null,
        signedBy: null,
        forAgentId: receiver.id,
        signPublicKey,
        sealPublicKey,
      },
      sealed: [],
      expiresInMs: LIMIT_MS,
    });
  }
}
