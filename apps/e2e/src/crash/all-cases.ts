import { CRASH_POINTS } from '@rahatback/backup-core';
import { caseOf, REDIS_CASES, type CrashCase } from './crash-case.js';

/** Every named point once, and Redis at each of its moments, with its data kept (nth 1) and lost (nth 2). */
export function allCrashCases(): readonly CrashCase[] {
  return [...CRASH_POINTS.map((point) => caseOf(point)), ...REDIS_CASES, ...REDIS_CASES.map((crash) => ({ ...crash, nth: 2 }))];
}
