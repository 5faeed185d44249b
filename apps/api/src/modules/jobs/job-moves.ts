import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import type { PassphraseKek } from '@rahatback/crypto';
import { Database, type Tx } from '../../platform/database/database.js';
import { DatabaseMoves, type DatabaseMove, type MoveStep } from '../databases/index.js';
import { invalidField } from './job-choices.js';
import { JobDirectory } from './job-directory.js';
import { JobPassphrases } from './job-passphrases.js';
import { JobRow } from './job.entity.js';

/** The jobs of a database that goes to another agent: their passphrases were sealed to the first one and are typed again, all of them. */
@Injectable()
export class JobMoves implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly moves: DatabaseMoves,
    private readonly directory: JobDirectory,
    private readonly passphrases: JobPassphrases,
  ) {}

  onModuleInit(): void {
    this.moves.onMove((move) => this.prepare(move));
  }

  private async prepare(move: DatabaseMove): Promise<MoveStep> {
    // Before the costly derivations, so that a wrong request costs nothing.
    await this.database.inWorkspace(move.actor.workspaceId, (tx) => this.check(tx, move));
    const keys = new Map<string, PassphraseKek>();
    for (const { jobId, encryptionPassword } of move.passphrases) {
      const key = await this.passphrases.derive(encryptionPassword);
      if (key !== undefined) keys.set(jobId, key);
    }
    return (tx) => this.reseal(tx, move, keys);
  }

  private async reseal(tx: Tx, move: DatabaseMove, keys: ReadonlyMap<string, PassphraseKek>): Promise<void> {
    for (const job of await this.check(tx, move)) {
      const key = keys.get(job.id);
      if (key !== undefined) await tx.update(JobRow, { id: job.id }, await this.passphrases.reseal(tx, job, move.agentId, key));
    }
  }

  /** @returns the jobs that have a passphrase @throws AppError CONFLICT naming those that were left out, VALIDATION for a job without one */
  private async check(tx: Tx, { actor, databaseId, passphrases }: DatabaseMove): Promise<JobRow[]> {
    const jobs = await this.directory
      .query(tx, actor.workspaceId)
      .andWhere('job.databaseId = :databaseId AND job.passphrase IS NOT NULL', { databaseId })
      .orderBy('job.id')
      .getMany();
    const given = new Set(passphrases.map(({ jobId }) => jobId));
    const missing = jobs.filter(({ id }) => !given.has(id));
    if (missing.length > 0) {
      const names = missing.map(({ name }) => `"${name}"`).join(', ');
      throw new AppError(
        'CONFLICT',
        `The passphrases of these jobs were sealed to the other agent: ${names}. Type each again in passphrases, or switch it off first.`,
        { jobs: missing.map(({ id, name }) => ({ jobId: id, name })) },
      );
    }
    if (given.size !== jobs.length || passphrases.length !== given.size) {
      throw invalidField(
        'passphrases',
        'Only jobs of this database that have a passphrase take one, each once. Leave the others out.',
      );
    }
    return jobs;
  }
}
