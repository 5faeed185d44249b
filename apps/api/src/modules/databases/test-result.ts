import type { ConnectionTestAnswer, DatabaseTestResult, ErrorBody } from '@rahatback/contracts';
import { isErrorCode } from '@rahatback/contracts';

/** What an agent found, as it is kept with the command. */
export interface TestResult {
  readonly success: boolean;
  readonly serverVersion?: string;
  readonly latencyMs?: number;
  readonly clientTool?: string;
  readonly compatible?: boolean;
  readonly error?: ErrorBody;
}

const MAX_SENTENCE = 2000;

/** PostgreSQL holds no NUL, and an agent passes on what tools print. */
const plain = (text: string): string => text.replaceAll('\0', '');

function errorOf(value: unknown): ErrorBody {
  const { code, message } = (typeof value === 'object' && value !== null ? value : {}) as { code?: unknown; message?: unknown };
  return {
    code: isErrorCode(code) ? code : 'DB_UNREACHABLE',
    message:
      typeof message === 'string' && message !== ''
        ? plain(message).slice(0, MAX_SENTENCE)
        : 'The agent could not connect and gave no reason. See its log.',
  };
}

/** What is kept of an agent's report. */
export const keptResult = (report: DatabaseTestResult): TestResult => ({
  success: report.success,
  ...(report.serverVersion === undefined ? {} : { serverVersion: plain(report.serverVersion) }),
  ...(report.clientTool === undefined ? {} : { clientTool: plain(report.clientTool) }),
  ...(report.latencyMs === undefined ? {} : { latencyMs: Math.round(report.latencyMs) }),
  ...(report.compatible === undefined ? {} : { compatible: report.compatible }),
  ...(report.success ? {} : { error: errorOf(report.error) }),
});

/** The stored result of a test, or `{ error }` of a command that was refused or ran out. */
export function toTestAnswer(stored: unknown, agentId: string): ConnectionTestAnswer {
  const { error, success, ...facts } = (stored ?? {}) as Partial<TestResult>;
  if (success === true) return { success: true, ...facts, agentId };
  const { code, message } = errorOf(error);
  return { success: false, ...facts, code, message, agentId };
}
