import type { ConnectionTestAnswer, ErrorBody } from '@rahatback/contracts';
import { AppError, isErrorCode } from '@rahatback/contracts';

/** What an agent found, as it is kept with the command. */
export interface TestResult {
  readonly success: boolean;
  readonly serverVersion?: string;
  readonly latencyMs?: number;
  readonly clientTool?: string;
  readonly compatible?: boolean;
  readonly error?: ErrorBody;
}

const MAX_TEXT = 200;
const MAX_SENTENCE = 2000;

const textOf = (value: unknown, maxLength: number): string | undefined =>
  typeof value === 'string' && value !== '' ? value.replaceAll('\0', '').slice(0, maxLength) : undefined;

function errorOf(value: unknown): ErrorBody {
  const { code, message } = (typeof value === 'object' && value !== null ? value : {}) as { code?: unknown; message?: unknown };
  return {
    code: isErrorCode(code) ? code : 'DB_UNREACHABLE',
    message: textOf(message, MAX_SENTENCE) ?? 'The agent could not connect and gave no reason. See its log.',
  };
}

/** Takes what is known of a frame and leaves the rest. @throws AppError WS_BAD_FRAME */
export function parseTestResult(message: unknown): TestResult {
  const frame = (typeof message === 'object' && message !== null ? message : {}) as Readonly<Record<string, unknown>>;
  const { success, latencyMs, compatible } = frame;
  if (typeof success !== 'boolean') {
    throw new AppError('WS_BAD_FRAME', 'A database:test:result says whether it was a success. Upgrade the agent.');
  }
  const serverVersion = textOf(frame['serverVersion'], MAX_TEXT);
  const clientTool = textOf(frame['clientTool'], MAX_TEXT);
  return {
    success,
    ...(serverVersion === undefined ? {} : { serverVersion }),
    ...(clientTool === undefined ? {} : { clientTool }),
    ...(typeof latencyMs === 'number' && Number.isFinite(latencyMs) ? { latencyMs: Math.max(0, Math.round(latencyMs)) } : {}),
    ...(typeof compatible === 'boolean' ? { compatible } : {}),
    ...(success ? {} : { error: errorOf(frame['error']) }),
  };
}

/** The stored result of a test, or `{ error }` of a command that was refused or ran out. */
export function toTestAnswer(stored: unknown, agentId: string): ConnectionTestAnswer {
  const { error, success, ...facts } = (stored ?? {}) as Partial<TestResult>;
  if (success === true) return { success: true, ...facts, agentId };
  const { code, message } = errorOf(error);
  return { success: false, ...facts, code, message, agentId };
}
