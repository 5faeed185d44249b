import { AppError } from '@rahatback/contracts';

export type JsonObject = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A state file as an object. @throws AppError DATA_CORRUPT naming the file */
export function objectOf(value: unknown, path: string): JsonObject {
  if (isObject(value)) return value;
  throw damaged(path);
}

/** A text field of a state file. @throws AppError DATA_CORRUPT naming file and field */
export function textOf(object: JsonObject, field: string, path: string): string {
  const value = object[field];
  if (typeof value === 'string') return value;
  throw damaged(path, field);
}

export const damaged = (path: string, field?: string): AppError =>
  new AppError(
    'DATA_CORRUPT',
    `${path} is damaged${field === undefined ? '' : ` (${field})`}: restore it from a copy, or enrol this agent again.`,
  );
