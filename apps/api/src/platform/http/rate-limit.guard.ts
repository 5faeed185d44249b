import type { ExecutionContext } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { ThrottlerLimitDetail } from '@nestjs/throttler';
import { ThrottlerGuard } from '@nestjs/throttler';
import { AppError } from '@rahatback/contracts';
import type { Request } from 'express';
import { isRawBodyPath } from './raw-body-paths.js';

/**
 * Requests per address. Runs before log-in is checked, so that guessing tokens is limited too. A route with a tighter limit says
 * `@Throttle({ default: { limit, ttl } })`. Parts are exempt: their signed, single-use ticket is the limit.
 */
@Injectable()
export class RateLimitGuard extends ThrottlerGuard {
  protected override shouldSkip(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return Promise.resolve(true);
    return Promise.resolve(/^\/(health|metrics)/.test(pathOf(context)) || isRawBodyPath(pathOf(context)));
  }

  protected override getTracker(request: Record<string, unknown>): Promise<string> {
    return Promise.resolve(typeof request['ip'] === 'string' ? request['ip'] : 'unknown');
  }

  protected override throwThrottlingException(_context: ExecutionContext, detail: ThrottlerLimitDetail): Promise<void> {
    const retryAfterSeconds = Math.max(1, detail.timeToBlockExpire || detail.timeToExpire);
    return Promise.reject(
      new AppError('RATE_LIMITED', `Too many requests from this address. Try again in ${retryAfterSeconds} seconds.`, {
        retryAfterSeconds,
      }),
    );
  }
}

const pathOf = (context: ExecutionContext): string => context.switchToHttp().getRequest<Request>().path;
