import type { AgentHome } from './agent-home.js';
import { readJson, writeJsonAtomic } from './atomic-file.js';
import { damaged, objectOf } from './json-shape.js';

/** The last generation that the server gave this agent; 0 before the first session. */
export async function readGeneration(home: AgentHome): Promise<number> {
  const found = await readJson(home.sessionFile);
  if (found === undefined) return 0;
  const { generation } = objectOf(found, home.sessionFile);
  if (typeof generation !== 'number' || !Number.isSafeInteger(generation) || generation < 0) {
    throw damaged(home.sessionFile, 'generation');
  }
  return generation;
}

/** Durable when it returns: only then may the session be used, or a crash would make this agent look like a clone of itself. */
export const writeGeneration = (home: AgentHome, generation: number): Promise<void> =>
  writeJsonAtomic(home.sessionFile, { generation });
