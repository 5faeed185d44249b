import { appendFileSync } from 'node:fs';

/** The exhaustive suite that script/prove runs now; undefined in an ordinary test run. */
export const provingSuite = (): string | undefined => process.env.PROVE || undefined;

/**
 * Adds a measured fact (a count, a size, a list of cases) to docs/proofs/<name>.json. Does nothing outside script/prove. Each call adds one
 * entry: a name used twice gives two.
 * @param value must survive JSON
 */
export function recordProofFact(name: string, value: unknown): void {
  const path = process.env.PROVE_FACTS;
  if (path) appendFileSync(path, `${JSON.stringify({ name, value })}\n`);
}
