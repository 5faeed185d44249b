import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import type { BackupKeysView, Page, PreflightAnswer, RestoreAnswer, RestoreView, Role } from '@rahatback/contracts';
import {
  AppError,
  BackupKeysQueryDto,
  ConfirmDatabaseDto,
  PageQueryDto,
  RestoreDto,
  RestoreTargetDto,
} from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { CurrentActor, IdParam, Roles, TokenScope } from '../../platform/http/decorators.js';
import { FreshLogin } from '../../platform/http/step-up.guard.js';
import { BackupKeys } from './backup-keys.service.js';
import { Preflight } from './preflight.service.js';
import { RestoreHistory } from './restore-history.service.js';
import { RestoreStart } from './restore-start.service.js';
import { Swaps } from './swaps.service.js';

/** Who is not an owner types the password again before a database changes hands. */
const OWNERS_MAY = { except: ['owner'] } as const;
/** Operators restore beside; to put a copy in a live database's place, or the old one back, is for who sets databases up. */
const MAY_SWAP: Role[] = ['owner', 'admin'];

@Controller('v1')
export class RestoreController {
  constructor(
    private readonly starting: RestoreStart,
    private readonly preflights: Preflight,
    private readonly history: RestoreHistory,
    private readonly swaps: Swaps,
    private readonly keys: BackupKeys,
  ) {}

  @TokenScope('restores:run')
  @Post('backups/history/:id/restore')
  @FreshLogin({ ...OWNERS_MAY, apiTokens: true })
  start(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: RestoreDto): Promise<RestoreAnswer> {
    if (dto.mode === 'swap' && !MAY_SWAP.includes(actor.role)) {
      throw new AppError(
        'FORBIDDEN',
        `Your role (${actor.role}) may restore beside the live database only. Ask an admin or owner to swap.`,
      );
    }
    if (dto.mode === 'swap' && actor.apiToken) {
      throw new AppError('FORBIDDEN', 'An API token may restore beside the live database only. Log in as a person to swap.');
    }
    return this.starting.start(actor, id, dto);
  }

  @TokenScope('restores:run')
  @Post('backups/history/:id/restore/preflight')
  @HttpCode(200)
  preflight(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: RestoreTargetDto): Promise<PreflightAnswer> {
    return this.preflights.run(actor, id, dto);
  }

  @TokenScope('restores:run')
  @Get('backups/history/:id/keys')
  @Roles('owner', 'admin', 'operator')
  keysFile(@CurrentActor() actor: Actor, @IdParam() id: string, @Query() query: BackupKeysQueryDto): Promise<BackupKeysView> {
    return this.keys.read(actor, id, query);
  }

  @Get('restores')
  list(@CurrentActor() actor: Actor, @Query() query: PageQueryDto): Promise<Page<RestoreView>> {
    return this.history.list(actor, query);
  }

  @Get('restores/:id')
  get(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<RestoreView> {
    return this.history.get(actor, id);
  }

  @TokenScope('restores:run')
  @Post('restores/:id/cancel')
  @HttpCode(200)
  cancel(@CurrentActor() actor: Actor, @IdParam() id: string): Promise<RestoreView> {
    return this.history.cancel(actor, id);
  }

  @Post('restores/:id/swap')
  @HttpCode(200)
  @Roles(...MAY_SWAP)
  @FreshLogin(OWNERS_MAY)
  swap(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: ConfirmDatabaseDto): Promise<RestoreView> {
    return this.swaps.swap(actor, id, dto.confirmDatabase);
  }

  @Post('restores/:id/undo')
  @HttpCode(200)
  @Roles(...MAY_SWAP)
  @FreshLogin(OWNERS_MAY)
  undo(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: ConfirmDatabaseDto): Promise<RestoreView> {
    return this.swaps.undo(actor, id, dto.confirmDatabase);
  }

  @Post('restores/:id/discard')
  @HttpCode(200)
  @Roles(...MAY_SWAP)
  @FreshLogin(OWNERS_MAY)
  discard(@CurrentActor() actor: Actor, @IdParam() id: string, @Body() dto: ConfirmDatabaseDto): Promise<RestoreView> {
    return this.swaps.discard(actor, id, dto.confirmDatabase);
  }
}
