import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Gauge, Histogram, register, Registry } from 'prom-client';

/** Prometheus metrics of this process. Labels are routes and codes, never names of tenants. */
@Injectable()
export class Metrics {
  private readonly registry = new Registry();
  private readonly requests: Histogram<'method' | 'route' | 'status'>;

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Histogram({
      name: 'rahatback_http_request_duration_seconds',
      help: 'Time from request to answer.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers: [this.registry],
    });
  }

  /** A number that is read when Prometheus asks. A reader that fails leaves the last value. */
  gauge(name: string, help: string, read: () => Promise<number>): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      async collect() {
        try {
          this.set(await read());
        } catch {
          // PostgreSQL is away: readiness says so
        }
      },
    });
  }

  /** In Prometheus' text format: ours, and what modules put into the process-wide registry. */
  text(): Promise<string> {
    return Registry.merge([this.registry, register]).metrics();
  }

  observeRequest(labels: { method: string; route: string; status: string }, seconds: number): void {
    this.requests.observe(labels, seconds);
  }
}
