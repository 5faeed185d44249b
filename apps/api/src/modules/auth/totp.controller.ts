import { Body, Controller, Delete, Get, HttpCode, Post } from '@nestjs/common';
import { ConfirmTotpDto } from '@rahatback/contracts';
import type { RecoveryCodesAnswer, TotpEnrolment, TotpView } from '@rahatback/contracts';
import type { Actor } from '../../platform/http/actor.js';
import { BeforeTotp, CurrentActor, Everybody, PeopleOnly } from '../../platform/http/decorators.js';
import { FreshLogin } from '../../platform/http/step-up.guard.js';
import { Totp } from './totp.service.js';

/** Everybody's own authenticator. */
@PeopleOnly()
@Everybody()
@BeforeTotp()
@Controller('v1/auth/totp')
export class TotpController {
  constructor(private readonly totp: Totp) {}

  @Get()
  read(@CurrentActor() actor: Actor): Promise<TotpView> {
    return this.totp.read(actor);
  }

  @FreshLogin()
  @Post('enrol')
  @HttpCode(200)
  enrol(@CurrentActor() actor: Actor): Promise<TotpEnrolment> {
    return this.totp.enrol(actor);
  }

  @Post('confirm')
  @HttpCode(200)
  confirm(@CurrentActor() actor: Actor, @Body() body: ConfirmTotpDto): Promise<RecoveryCodesAnswer> {
    return this.totp.confirm(actor, body.code);
  }

  @FreshLogin()
  @Post('recovery-codes')
  @HttpCode(200)
  renewCodes(@CurrentActor() actor: Actor): Promise<RecoveryCodesAnswer> {
    return this.totp.renewCodes(actor);
  }

  @FreshLogin()
  @Delete()
  @HttpCode(204)
  disable(@CurrentActor() actor: Actor): Promise<void> {
    return this.totp.disable(actor);
  }
}
