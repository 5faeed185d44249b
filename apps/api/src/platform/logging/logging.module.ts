import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { DynamicModule } from '@nestjs/common';
import { LoggerModule } from 'nestjs-pino';
import type { DestinationStream } from 'pino';
import { AppConfig } from '../config/app-config.js';
import { correlationId } from './correlation.js';
import { REDACTED_PATHS, redactUrl } from './redaction.js';

interface SeenRequest extends IncomingMessage {
  readonly ip?: string;
  readonly actor?: { readonly userId: string; readonly workspaceId: string };
}

/**
 * Whose request it was and from which address, as far as it was found out: of refusals too. A request whose client has gone may have no socket any
 * more: it has no address then, and asking Express for it would end the process.
 */
export const whoAndWhere = (request: SeenRequest): object => ({
  ip: (request.socket as Socket | null) === null ? undefined : request.ip,
  ...(request.actor ? { userId: request.actor.userId, workspaceId: request.actor.workspaceId } : {}),
});

/** The logger asks when a request comes and when it is answered, and writes both: what was known at first would stand in the line twice. */
export function onceAnswered(propsOf: (request: SeenRequest) => object): (request: SeenRequest) => object {
  const asked = new WeakSet<SeenRequest>();
  return (request) => {
    if (asked.has(request)) return propsOf(request);
    asked.add(request);
    return {};
  };
}

/** Structured logs, one JSON line each, with the correlation id and without headers, bodies and tickets. */
export function loggingModule(service: 'api' | 'worker', destination?: DestinationStream): DynamicModule {
  return LoggerModule.forRootAsync({
    inject: [AppConfig],
    useFactory: (config: AppConfig) => ({
      pinoHttp: {
        level: config.logLevel,
        base: { service, pid: process.pid },
        ...(destination ? { stream: destination } : {}),
        redact: { paths: [...REDACTED_PATHS], censor: '[redacted]' },
        mixin: () => {
          const id = correlationId();
          return id === undefined ? {} : { correlationId: id };
        },
        customProps: onceAnswered(whoAndWhere),
        quietReqLogger: true,
        autoLogging: { ignore: (request: IncomingMessage) => /^\/(health|metrics)/.test(request.url ?? '') },
        customLogLevel: (_request: unknown, response: { statusCode: number }, error?: Error) =>
          error || response.statusCode >= 500 ? ('error' as const) : ('info' as const),
        // the filter has logged the cause; pino-http would add the stack of its own listener
        customErrorObject: (_request: unknown, _response: unknown, _error: unknown, line: Record<string, unknown>) => ({
          ...line,
          err: undefined,
        }),
        serializers: {
          req: (request: { method: string; url: string; remoteAddress?: string }) => ({
            method: request.method,
            url: redactUrl(request.url),
            remoteAddress: request.remoteAddress,
          }),
          res: (response: { statusCode: number }) => ({ statusCode: response.statusCode }),
        },
      },
    }),
  });
}
