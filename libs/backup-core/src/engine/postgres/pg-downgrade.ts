import { AppError } from '@rahatback/contracts';
import type { DumpFacts } from '../../dump/dump-facts.js';

/**
 * A dump is SQL of the server that it was taken from: an older server does not know all of it, and may understand some of it otherwise.
 * @throws AppError VERSION_DOWNGRADE
 */
export function assertNoDowngrade(target: { readonly major: number; readonly version: string }, facts: DumpFacts): void {
  const sourceMajor = Number.parseInt(facts.serverVersion ?? '', 10);
  if (!(sourceMajor > target.major)) return;
  const [source] = facts.serverVersion?.split(' ') ?? [];
  throw new AppError(
    'VERSION_DOWNGRADE',
    `This backup is of PostgreSQL ${source} and the target server is ${target.version}. Restore it into PostgreSQL ${sourceMajor} or newer. Nothing was created.`,
    { sourceVersion: source, targetVersion: target.version },
  );
}
