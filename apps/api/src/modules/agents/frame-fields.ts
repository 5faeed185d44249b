import type { CommandState, CommandType, ErrorBody, ToolVersion } from '@rahatback/contracts';
import { AppError, COMMAND_STATES, COMMAND_TYPES, isErrorCode } from '@rahatback/contracts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MAX_ITEMS = 10_000;
const MAX_TOOLS = 100;
const MAX_SENTENCE = 2000;

type Fields = Readonly<Record<string, unknown>>;

const bad = (what: string): AppError =>
  new AppError('WS_BAD_FRAME', `The frame's ${what} is not as the agent protocol says. Upgrade the agent or the server.`);

export const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value);
const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

/** @throws AppError WS_BAD_FRAME unless `value` is an object; unknown fields are nobody's business. */
export function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('body');
  return value as Fields;
}

export function uuidOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (!isUuid(value)) throw bad(name);
  return value.toLowerCase();
}

export function countOf(fields: Fields, name: string): number {
  const value = fields[name];
  if (!isCount(value)) throw bad(name);
  return value;
}

/** PostgreSQL takes no NUL; what is longer than a person reads is cut. */
export function textOf(fields: Fields, name: string, maxLength: number): string {
  const value = fields[name];
  if (typeof value !== 'string') throw bad(name);
  return value.replaceAll('\0', '').slice(0, maxLength);
}

export function listOf(value: unknown, what: string): readonly Fields[] {
  if (!Array.isArray(value) || value.length > MAX_ITEMS) throw bad(what);
  return value.map(fieldsOf);
}

export const commandTypeOf = (value: unknown): CommandType | undefined => COMMAND_TYPES.find((type) => type === value);
export const commandStateOf = (value: unknown): CommandState | undefined => COMMAND_STATES.find((state) => state === value);

/** An error as an agent reports it; a code that this server does not know becomes COMMAND_REFUSED. */
export function errorOf(value: unknown): ErrorBody {
  const { code, message } = fieldsOf(value ?? {});
  return {
    code: isErrorCode(code) ? code : 'COMMAND_REFUSED',
    message:
      typeof message === 'string' && message !== ''
        ? message.replaceAll('\0', '').slice(0, MAX_SENTENCE)
        : 'The agent refused the command without a reason. See its log.',
  };
}

/** What is not a tool is left out: an agent of another version may list things that we do not know. */
export function toolsOf(value: unknown): ToolVersion[] {
  if (!Array.isArray(value)) return [];
  const tools = value.slice(0, MAX_TOOLS) as unknown[];
  return tools.flatMap((tool) => {
    if (typeof tool !== 'object' || tool === null) return [];
    const fields = tool as Fields;
    if (['name', 'version', 'path'].some((name) => typeof fields[name] !== 'string')) return [];
    return [{ name: textOf(fields, 'name', 100), version: textOf(fields, 'version', 100), path: textOf(fields, 'path', 500) }];
  });
}
