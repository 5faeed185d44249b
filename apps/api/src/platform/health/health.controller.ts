import { Controller, Get, Header, Res } from '@nestjs/common';
import type { Response } from 'express';
import { Database } from '../database/database.js';
import { Public } from '../http/decorators.js';
import { RedisClients } from '../queues/redis-clients.js';
import { Metrics } from './metrics.service.js';
import { Warnings } from './warnings.service.js';

const CHECK_LIMIT_MS = 2000;

export interface Readiness {
  readonly status: 'ok' | 'unavailable';
  readonly checks: { readonly postgres: 'up' | 'down'; readonly redis: 'up' | 'down' };
  /** Sentences on what a person must look into, although this process serves. */
  readonly warnings: readonly string[];
}

@Public()
@Controller()
export class HealthController {
  constructor(
    private readonly database: Database,
    private readonly redis: RedisClients,
    private readonly metrics: Metrics,
    private readonly warnings: Warnings,
  ) {}

  /** The process answers: nothing else is asked, so that a restart never follows from a database that is away. */
  @Get('health/live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** 503 takes this process out of the proxy until PostgreSQL and Redis answer. */
  @Get('health/ready')
  async ready(@Res({ passthrough: true }) response: Response): Promise<Readiness> {
    const [postgres, redis] = await Promise.all([
      answers(this.database.asSystem('readiness', (tx) => tx.query('SELECT 1'))),
      answers(this.redis.general.ping()),
    ]);
    const ready = postgres === 'up' && redis === 'up';
    response.status(ready ? 200 : 503);
    const warnings = postgres === 'up' ? await this.warnings.current() : [];
    return { status: ready ? 'ok' : 'unavailable', checks: { postgres, redis }, warnings };
  }

  @Get('metrics')
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  scrape(): Promise<string> {
    return this.metrics.text();
  }
}

async function answers(check: Promise<unknown>): Promise<'up' | 'down'> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<'down'>((resolve) => {
    timer = setTimeout(() => resolve('down'), CHECK_LIMIT_MS);
  });
  const state = await Promise.race([limit, check.then(() => 'up' as const).catch(() => 'down' as const)]);
  clearTimeout(timer);
  return state;
}
