import type { NextFunction, Request, Response } from 'express';
import type { Metrics } from './metrics.service.js';

/** Measures every request by its route's pattern, not its path: ids would make endless series. */
export const measureRequests =
  (metrics: Metrics) =>
  (request: Request, response: Response, next: NextFunction): void => {
    const startedMs = performance.now();
    response.once('finish', () => {
      const route = (request.route as { path?: unknown } | undefined)?.path;
      const labels = {
        method: request.method,
        route: typeof route === 'string' ? route : 'unmatched',
        status: String(response.statusCode),
      };
      metrics.observeRequest(labels, (performance.now() - startedMs) / 1000);
    });
    next();
  };
