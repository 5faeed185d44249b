import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { Database } from '../../platform/database/database.js';
import type { Actor } from '../../platform/http/actor.js';
import { currentAttempt } from './backup-attempt.repository.js';
import { BackupSettlement } from './backup-settlement.service.js';
import type { BackupRow } from './backup.entity.js';
import { lockBackup } from './backup.repository.js';

export interface CancelAnswer {
  readonly success: true;
  readonly status: 'cancelled';
  readonly message: string;
  readonly historyId: string;
}

const HOW_IT_ENDED = {
  running: 'is being published at this moment: it cannot be stopped any more. Look again in a few seconds',
  success: 'had already succeeded. Delete it if you do not want to keep it',
  failed: 'had already failed',
  cancelled: 'was already cancelled',
  skipped: 'was skipped: it never began',
} as const;

const tooLate = ({ status }: BackupRow): AppError =>
  new AppError('TOO_LATE', `Too late to cancel: the backup ${HOW_IT_ENDED[status]}.`, { status });

@Injectable()
export class BackupCancel {
  constructor(
    private readonly database: Database,
    private readonly settlement: BackupSettlement,
  ) {}

  /** The row ends at once, whether the agent can be reached or not. @throws AppError TOO_LATE with how it really ended */
  cancel(actor: Actor, backupId: string): Promise<CancelAnswer> {
    return this.database.inWorkspace(actor.workspaceId, async (tx) => {
      const backup = await lockBackup(tx, actor.workspaceId, backupId);
      const attempt = await currentAttempt(tx, backup);
      if (attempt === null || !(await this.settlement.cancel(tx, { backup, attempt }, actor))) throw tooLate(backup);
      return {
        success: true,
        status: 'cancelled',
        message: 'The backup was cancelled. What it had stored is being removed.',
        historyId: backup.id,
      };
    });
  }
}
