import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import type { ExportAnswer, ExportView } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam, TokenScope } from '../../platform/http/decorators.js';
import { BackupExports } from './backup-exports.service.js';

@Controller('v1/backups')
export class BackupExportsController {
  constructor(private readonly exporting: BackupExports) {}

  @TokenScope('restores:run')
  @Post('history/:id/export')
  @HttpCode(202)
  start(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<ExportAnswer> {
    return this.exporting.start(actor, id);
  }

  @Get('exports/:id')
  view(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<ExportView> {
    return this.exporting.view(actor, id);
  }
}
