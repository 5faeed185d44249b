import { Injectable } from '@nestjs/common';
import type { UpdateJobDto } from '@rahatback/contracts';
import type { PassphraseKek } from '@rahatback/crypto';
import type { Tx } from '../../platform/database/database.js';
import { AgentDirectory } from '../agents/index.js';
import { invalidField } from './job-choices.js';
import type { JobRow } from './job.entity.js';
import { PassphraseKeys } from './passphrase-keys.js';

export type PassphraseColumns = Pick<JobRow, 'passphrase' | 'passphraseVersion'>;

interface NewPassphrase {
  readonly workspaceId: string;
  readonly agentId: string;
  readonly jobId: string;
  readonly key: PassphraseKek | undefined;
}

/** The passphrase of a job: what its columns hold after each way in which it can be set, changed or taken away. */
@Injectable()
export class JobPassphrases {
  constructor(
    private readonly keys: PassphraseKeys,
    private readonly agents: AgentDirectory,
  ) {}

  /** Outside of any transaction: it takes most of a second. */
  derive(passphrase: string | undefined): Promise<PassphraseKek | undefined> {
    return passphrase === undefined ? Promise.resolve(undefined) : this.keys.derive(passphrase);
  }

  sealNew(tx: Tx, passphrase: NewPassphrase): Promise<PassphraseColumns> {
    return this.seal(tx, passphrase, 1);
  }

  /** For the agent that takes the job's database over. The version grows as with any new passphrase. */
  reseal(tx: Tx, job: JobRow, agentId: string, key: PassphraseKek): Promise<PassphraseColumns> {
    return this.seal(tx, { workspaceId: job.workspaceId, agentId, jobId: job.id, key }, job.passphraseVersion + 1);
  }

  /** A version that grows makes the next backup begin a new chain. */
  async change(
    tx: Tx,
    job: JobRow,
    request: { dto: UpdateJobDto; agentId: string; key: PassphraseKek | undefined },
  ): Promise<PassphraseColumns & { isEncrypted: boolean }> {
    const { dto, agentId, key } = request;
    const { passphrase, passphraseVersion, workspaceId } = job;
    if (key) {
      if (dto.isEncrypted === false) {
        throw invalidField('encryptionPassword', 'A passphrase needs isEncrypted: true. Set it, or leave the passphrase out.');
      }
      return { isEncrypted: true, ...(await this.seal(tx, { workspaceId, agentId, jobId: job.id, key }, passphraseVersion + 1)) };
    }
    if (dto.isEncrypted === false && job.isEncrypted) {
      return { isEncrypted: false, passphrase: null, passphraseVersion: passphraseVersion + 1 };
    }
    if (dto.isEncrypted === true && !job.isEncrypted) {
      throw invalidField('encryptionPassword', 'isEncrypted: true needs a passphrase. Give encryptionPassword.');
    }
    return { isEncrypted: job.isEncrypted, passphrase, passphraseVersion };
  }

  private async seal(tx: Tx, { workspaceId, agentId, jobId, key }: NewPassphrase, version: number): Promise<PassphraseColumns> {
    if (!key) return { passphrase: null, passphraseVersion: 0 };
    const agent = await this.agents.requireForWork(tx, workspaceId, agentId);
    return { passphrase: await this.keys.seal(agent, { jobId, version, key }), passphraseVersion: version };
  }
}
