import type { CommandState, ErrorBody } from '@rahatback/contracts';
import { COMMAND_STATES, isErrorCode } from '@rahatback/contracts';

const MAX_SENTENCE = 2000;

/** PostgreSQL holds no NUL, and an agent passes on what tools print. */
export const plain = (text: string): string => text.replaceAll('\0', '');

export const commandStateOf = (value: unknown): CommandState | undefined => COMMAND_STATES.find((state) => state === value);

/** An error as an agent reports it; a code that this server does not know becomes COMMAND_REFUSED. */
export function errorOf(value: unknown): ErrorBody {
  const { code, message } = (typeof value === 'object' && value !== null ? value : {}) as { code?: unknown; message?: unknown };
  return {
    code: isErrorCode(code) ? code : 'COMMAND_REFUSED',
    message:
      typeof message === 'string' && message !== ''
        ? plain(message).slice(0, MAX_SENTENCE)
        : 'The agent refused the command without a reason. See its log.',
  };
}
