import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database, type Tx } from '../../platform/database/database.js';

/**
 * The time by PostgreSQL's clock. Everything that expires is judged by it, because the clocks of several servers differ; what a process must judge
 * without asking, it judges by the difference that it saw last.
 */
@Injectable()
export class DatabaseClock implements OnModuleInit {
  private aheadMs = 0;

  constructor(private readonly database: Database) {}

  async onModuleInit(): Promise<void> {
    await this.database.asSystem('read the clock', (tx) => this.read(tx));
  }

  /** Asks PostgreSQL, and remembers how far it is ahead of this process. */
  async read(tx: Tx): Promise<Date> {
    const askedAt = Date.now();
    const rows = await tx.query<{ now: Date }[]>('SELECT clock_timestamp() AS now');
    const now = rows[0]?.now ?? new Date();
    this.aheadMs = now.getTime() - (askedAt + Date.now()) / 2;
    return now;
  }

  /** Milliseconds since 1970 by PostgreSQL's clock, as far as known here. */
  nowMs(): number {
    return Date.now() + Math.round(this.aheadMs);
  }
}
