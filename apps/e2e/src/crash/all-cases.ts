import { AGENT_CRASH_POINTS } from '@rahatback/agent/crash-points';
import { API_CRASH_POINTS } from '@rahatback/api/crash-points';
import { CRASH_POINTS, SWAP_CRASH_POINTS, VERIFY_CRASH_POINTS } from '@rahatback/backup-core';
import { caseOf, REDIS_CASES, type CrashCase } from './crash-case.js';

/** Every named point once, and Redis at each of its moments, with its data kept (nth 1) and lost (nth 2). */
const points: readonly string[] = [
  ...CRASH_POINTS,
  ...VERIFY_CRASH_POINTS,
  ...SWAP_CRASH_POINTS,
  ...AGENT_CRASH_POINTS,
  ...API_CRASH_POINTS,
];

export function allCrashCases(): readonly CrashCase[] {
  return [...points.map((point) => caseOf(point)), ...REDIS_CASES, ...REDIS_CASES.map((crash) => ({ ...crash, nth: 2 }))];
}
