import { Injectable } from '@nestjs/common';
import type { UploadPublishAnswer } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { crashPoint } from '@rahatback/backup-core/crash-point';
import { Database, type Tx } from '../../platform/database/database.js';
import { ServerKeys } from '../../platform/keys/server-keys.js';
import type { AgentSession } from '../../platform/realtime/agent-session.js';
import { AgentDirectory } from '../agents/index.js';
import { agentFolderAt } from '../storages/index.js';
import { reportOf } from './agent-frames.js';
import { AttemptGuard, fenced, isCurrent } from './attempt-guard.service.js';
import { AttemptStorage } from './attempt-storage.service.js';
import { acceptForAttempt } from './backup-attempt.repository.js';
import { expectationOf, orderOf } from './backup-expectation.js';
import { findObject, keepStored } from './backup-object.repository.js';
import type { Work } from './backup-settlement.service.js';
import { checkKeys } from './keys-acceptance.js';
import { acceptManifest, sha256Hex } from './manifest-acceptance.js';

interface Small {
  readonly object: string;
  readonly content: Buffer;
}

/**
 * Keys and manifest of a backup whose files stay on the agent's disk (docs/adr/0004). The server checks and counter-signs and remembers what it
 * accepted; the agent writes the manifest last, and only its report that the file stands makes the row a success. Equal bytes are answered the same,
 * other bytes are refused.
 */
@Injectable()
export class AgentPublication {
  constructor(
    private readonly database: Database,
    private readonly keys: ServerKeys,
    private readonly agents: AgentDirectory,
    private readonly guard: AttemptGuard,
    private readonly storage: AttemptStorage,
  ) {}

  /** Whether this attempt's files stay with its agent. @throws AppError NOT_FOUND, FENCED */
  takes(agent: AgentSession, message: unknown): Promise<boolean> {
    return this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const { backup } = await this.guard.find(tx, agent, reportOf(message), false);
      return (await agentFolderAt(tx, backup.storageId)) !== null;
    });
  }

  /** @throws AppError MANIFEST_INVALID, KEYS_INVALID, OBJECT_EXISTS, FENCED */
  async publish(agent: AgentSession, message: unknown, small: Small): Promise<UploadPublishAnswer> {
    const { signPublicKey } = await this.agents.publicKeys(agent.agentId);
    return this.database.inWorkspace(agent.workspaceId, async (tx) => {
      const work = await this.guard.find(tx, agent, reportOf(message), true);
      if (!isCurrent(work) && work.attempt.state !== 'success') throw fenced();
      const answer =
        small.object === 'manifest.json'
          ? await this.manifest(tx, work, small.content, signPublicKey)
          : await this.keysFile(tx, work, small);
      this.database.afterCommit(tx, () => crashPoint('api.publish.after_commit'));
      return answer;
    });
  }

  private async keysFile(tx: Tx, work: Work, { object, content }: Small): Promise<UploadPublishAnswer> {
    const sha256 = sha256Hex(content);
    const place = this.storage.placeOf(work);
    const known = await findObject(tx, place, object);
    if (known !== null && known.sha256 !== sha256) {
      throw new AppError('OBJECT_EXISTS', `Another ${object} exists already and is never overwritten.`, { object });
    }
    if (known !== null) return { sha256 };
    if (work.attempt.accepted !== null)
      throw new AppError('CONFLICT', 'The manifest is accepted already: nothing can be added any more.');
    checkKeys(object, content, await orderOf(tx, work), work.backup.agentId);
    await keepStored(tx, place, { object, sizeBytes: content.length, sha256 });
    return { sha256 };
  }

  private async manifest(tx: Tx, work: Work, content: Buffer, signPublicKey: string): Promise<UploadPublishAnswer> {
    const accepted = acceptManifest(content, await expectationOf(tx, work, signPublicKey), this.keys.manifestKey);
    const before = work.attempt.accepted;
    if (before !== null && before.manifestSha256 !== accepted.sha256) {
      throw new AppError('OBJECT_EXISTS', 'Another manifest of this backup was accepted already and is never overwritten.');
    }
    const place = this.storage.placeOf(work);
    if (before === null && !(await acceptForAttempt(tx, place, accepted.change))) throw fenced();
    return { sha256: accepted.sha256, content: accepted.bytes.toString('base64') };
  }
}
