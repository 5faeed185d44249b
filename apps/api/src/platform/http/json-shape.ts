import { AppError } from '@rahatback/contracts';

const MAX_DEPTH = 32;
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Refuses parsed JSON that is nested deeper than 32 has a key that could reach an object's prototype, or a NUL, which PostgreSQL
 * cannot keep in a text. Walks without recursion, because
 * the depth is the caller's.
 * @throws AppError VALIDATION
 */
export function assertPlainJson(value: unknown): void {
  const open: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let next = open.pop(); next; next = open.pop()) {
    if (typeof next.value === 'string' && next.value.includes('\u0000')) {
      throw new AppError('VALIDATION', 'The JSON has a NUL character in a text, which cannot be stored. Remove it.');
    }
    if (typeof next.value !== 'object' || next.value === null) continue;
    if (next.depth >= MAX_DEPTH) {
      throw new AppError('VALIDATION', `The JSON is nested deeper than ${MAX_DEPTH} levels. Send a flatter body.`);
    }
    for (const [key, child] of Object.entries(next.value)) {
      if (FORBIDDEN_KEYS.has(key))
        throw new AppError('VALIDATION', `The JSON has the key "${key}", which is never allowed. Remove it.`);
      open.push({ value: child, depth: next.depth + 1 });
    }
  }
}
