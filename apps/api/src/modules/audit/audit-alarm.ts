import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { Metrics } from '../../platform/health/metrics.service.js';
import { Warnings } from '../../platform/health/warnings.service.js';
import { AuditChainRepository } from './audit-chain.repository.js';

/** The sweep comes every two seconds. */
const LATE_AFTER_SECONDS = 300;

/** A row without a place in its chain can be removed unseen, so it must not stay one: seen by every process, also when no worker runs. */
@Injectable()
export class AuditAlarm implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly chain: AuditChainRepository,
    private readonly metrics: Metrics,
    private readonly warnings: Warnings,
  ) {}

  onModuleInit(): void {
    this.metrics.gauge('rahatback_audit_unchained_age_seconds', 'Age of the oldest audit row without a place in its chain.', () =>
      this.ageSeconds(),
    );
    this.warnings.watch('audit-unchained', () => this.warning());
  }

  /** A sentence when rows have waited for more than five minutes. */
  async warning(): Promise<string | undefined> {
    const seconds = Math.floor(await this.ageSeconds());
    if (seconds <= LATE_AFTER_SECONDS) return undefined;
    return `Rows of the audit log have waited ${seconds} s for their place in the chain. See that a worker runs, and read its log.`;
  }

  private ageSeconds(): Promise<number> {
    return this.database.asSystem('age of unchained audit rows', (tx) => this.chain.unchainedAgeSeconds(tx));
  }
}
