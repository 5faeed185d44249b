import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppError } from '@rahatback/contracts';
import cookieParser from 'cookie-parser';
import express from 'express';
import type { NextFunction, Request, Response } from 'express';
import helmet from 'helmet';
import type { AppConfig } from '../config/app-config.js';
import { AppErrorFilter } from '../errors/app-error.filter.js';
import { createValidationPipe } from '../errors/validation.pipe.js';
import { correlationId, withCorrelation } from '../logging/correlation.js';
import { assertPlainJson } from './json-shape.js';
import { isRawBodyPath } from './raw-body-paths.js';

const BODY_LIMIT_BYTES = 1_000_000;
/** The head of a request that takes longer comes from somebody who wants to hold the connection. */
const HEADERS_WITHIN_MS = 15_000;
const YEAR_SECONDS = 31_536_000;

const correlate = (request: Request, response: Response, next: NextFunction): void =>
  withCorrelation(request.headers['x-correlation-id'], () => {
    response.setHeader('x-correlation-id', correlationId() ?? '');
    response.setHeader('Cache-Control', 'no-store');
    next();
  });

const hasBody = (request: Request): boolean =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;

/** JSON only: a form or text/plain could be sent by any page of another origin without asking. */
const onlyJson = (request: Request, _response: Response, next: NextFunction): void => {
  const refused = hasBody(request) && !isRawBodyPath(request.path) && !request.is('application/json');
  next(refused ? new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send JSON with the header Content-Type: application/json.') : undefined);
};

const jsonBody = express.json({ limit: BODY_LIMIT_BYTES, strict: true });
const parseJson = (request: Request, response: Response, next: NextFunction): void => {
  if (isRawBodyPath(request.path)) next();
  else jsonBody(request, response, next);
};

const plainJson = (request: Request, _response: Response, next: NextFunction): void => {
  if (!isRawBodyPath(request.path)) assertPlainJson(request.body);
  next();
};

/** The documentation page needs its own script and style; nothing else of the API is ever a page. */
const contentSecurityPolicy = (page: boolean) => ({
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    baseUri: ["'none'"],
    objectSrc: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    ...(page
      ? { scriptSrc: ["'self'"], styleSrc: ["'self'", "'unsafe-inline'"], imgSrc: ["'self'", 'data:'], connectSrc: ["'self'"] }
      : {}),
  },
});

const secured = (page: boolean) =>
  helmet({
    contentSecurityPolicy: contentSecurityPolicy(page),
    strictTransportSecurity: { maxAge: YEAR_SECONDS, includeSubDomains: true },
    referrerPolicy: { policy: 'no-referrer' },
    frameguard: { action: 'deny' },
  });

/** Everything that happens to a request before a controller sees it, the same in production and in tests. */
export function configureHttp(app: NestExpressApplication, config: AppConfig): void {
  Object.assign(app.getHttpServer() as object, { headersTimeout: HEADERS_WITHIN_MS });
  app.disable('x-powered-by');
  app.set('trust proxy', config.trustProxy.length > 0 ? [...config.trustProxy] : false);
  app.set('query parser', 'simple');
  const api = secured(false);
  const docs = secured(true);
  app.use(correlate);
  app.use((request: Request, response: Response, next: NextFunction) =>
    (request.path.startsWith('/docs') ? docs : api)(request, response, next),
  );
  app.enableCors({
    origin: [...config.allowedOrigins],
    credentials: true,
    methods: ['GET', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'x-correlation-id', 'x-rahatback-client'],
    exposedHeaders: ['x-correlation-id', 'retry-after'],
    maxAge: 600,
  });
  app.use(onlyJson, parseJson, plainJson, cookieParser());
  app.useGlobalFilters(new AppErrorFilter());
  app.useGlobalPipes(createValidationPipe());
}
