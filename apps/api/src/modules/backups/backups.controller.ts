import { Controller, Delete, Get, HttpCode, Post, Query } from '@nestjs/common';
import type { BackupDetailView, BackupView, Page, RunAnswer } from '@rahatback/contracts';
import { HistoryQueryDto } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam, Roles, TokenScope } from '../../platform/http/decorators.js';
import { BackupCancel, type CancelAnswer } from './backup-cancel.service.js';
import { BackupDeletion, type DeleteAnswer } from './backup-deletion.service.js';
import { BackupHistory } from './backup-history.service.js';
import { BackupRunService } from './backup-run.service.js';

@Controller('v1/backups')
export class BackupsController {
  constructor(
    private readonly runs: BackupRunService,
    private readonly history: BackupHistory,
    private readonly cancelling: BackupCancel,
    private readonly deletion: BackupDeletion,
  ) {}

  @TokenScope('backups:run')
  @Post('jobs/:id/run')
  run(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<RunAnswer> {
    return this.runs.run(actor, id);
  }

  @Get('history')
  list(@CurrentActor() actor: Actor, @Query() query: HistoryQueryDto): Promise<Page<BackupView>> {
    return this.history.list(actor, query);
  }

  @Get('history/:id')
  detail(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<BackupDetailView> {
    return this.history.detail(actor, id);
  }

  @TokenScope('backups:run')
  @Post('history/:id/cancel')
  @HttpCode(200)
  cancel(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<CancelAnswer> {
    return this.cancelling.cancel(actor, id);
  }

  @Roles('owner', 'admin')
  @TokenScope('admin')
  @Delete('history/:id')
  @HttpCode(202)
  remove(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<DeleteAnswer> {
    return this.deletion.request(actor, id);
  }
}
