import { readFileSync } from 'node:fs';
import { configureCrashPoints } from '../../crash-point.js';
import type { DatabaseAccess, SwapRequest } from '../database-engine.js';
import { swap, undoSwap } from './pg-swap.js';

/** What a process that the crash tests kill is to do: a JSON file, whose path is its argument. */
export interface SwapTask {
  readonly kind: 'swap' | 'undo';
  /** Without the password, which comes in SWAP_PASSWORD. */
  readonly access: DatabaseAccess;
  readonly request: SwapRequest;
  /** Where it dies; null lets it live. */
  readonly crashPoint: string | null;
}

export async function runSwapTask(path: string): Promise<void> {
  const { kind, access, request, crashPoint } = JSON.parse(readFileSync(path, 'utf8')) as SwapTask;
  configureCrashPoints(crashPoint ?? undefined);
  process.stdout.write('begin\n');
  const own = { ...access, password: process.env.SWAP_PASSWORD ?? null };
  const outcome = await (kind === 'swap' ? swap : undoSwap)(own, request, new AbortController().signal);
  process.stdout.write(`done ${JSON.stringify(outcome)}\n`);
}
