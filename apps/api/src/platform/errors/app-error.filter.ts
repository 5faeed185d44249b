import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch, Logger } from '@nestjs/common';
import type { Response } from 'express';
import { correlationId } from '../logging/correlation.js';
import { toAppError, toErrorBody } from './to-error-body.js';

/** The one place where a failure becomes an HTTP answer: `{code, message, details?, correlationId}`. */
@Catch()
export class AppErrorFilter implements ExceptionFilter {
  private readonly log = new Logger(AppErrorFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const known = toAppError(error);
    if (known.kind === 'unexpected')
      this.log.error({ err: known.cause ?? known }, 'A request failed for a reason that we do not know.');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const retryAfter = known.details?.['retryAfterSeconds'];
    if (typeof retryAfter === 'number') response.setHeader('Retry-After', String(retryAfter));
    response.status(known.status).json(toErrorBody(known, correlationId()));
  }
}
