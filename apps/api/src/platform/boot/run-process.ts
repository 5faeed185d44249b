import type { INestApplicationContext } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { ConfigError } from '../config/load-config.js';

const EXIT_CONFIG = 78; // EX_CONFIG of sysexits.h
const EXIT_UNAVAILABLE = 69;
const EXIT_SOFTWARE = 70;
const SHUTDOWN_LIMIT_MS = 28_000;

/** What a failed start prints: one JSON line per cause, without a stack and without a value of a setting. */
function startLines(error: unknown): { lines: string[]; exitCode: number } {
  if (error instanceof ConfigError) return { lines: [...error.lines], exitCode: EXIT_CONFIG };
  if (error instanceof AppError) {
    const exitCode = error.kind === 'operational' ? EXIT_UNAVAILABLE : EXIT_CONFIG;
    return { lines: [error.message], exitCode };
  }
  const message =
    error instanceof Error ? `${error.name}: ${error.message}` : 'The process failed to start for a reason that it did not say.';
  return { lines: [message], exitCode: EXIT_SOFTWARE };
}

/** Prints why the process cannot start, and ends it: 78 for settings and findings of the boot checks, 69 for a server that is away. */
export function failStart(service: string, error: unknown): never {
  const code = error instanceof AppError ? error.code : 'INTERNAL';
  const { lines, exitCode } = startLines(error);
  for (const message of lines) process.stderr.write(`${JSON.stringify({ level: 'fatal', service, code, message })}\n`);
  process.exit(exitCode);
}

/** Ends the process on SIGTERM and SIGINT: requests and jobs in work get 28 s, then it ends anyway. A second signal changes nothing. */
export function closeOnSignals(app: INestApplicationContext): void {
  let closing = false;
  const close = (): void => {
    if (closing) return;
    closing = true;
    setTimeout(() => process.exit(1), SHUTDOWN_LIMIT_MS).unref();
    app.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', close);
  process.on('SIGINT', close);
}
