import type { AgentHome } from './agent-home.js';
import { readJson, writeJsonAtomic } from './atomic-file.js';
import { objectOf } from './json-shape.js';

export const LINK_STATES = ['connecting', 'online', 'quarantined', 'refused', 'stopped'] as const;
export type LinkState = (typeof LINK_STATES)[number];

/** What the daemon leaves for `status` to read. */
export interface DaemonStatus {
  readonly pid: number;
  readonly startedAt: string;
  readonly link: LinkState;
  /** Last acknowledgement from the server. */
  readonly lastContactAt: string | null;
  readonly lastError: string | null;
}

export const writeStatus = (home: AgentHome, status: DaemonStatus): Promise<void> => writeJsonAtomic(home.statusFile, status);

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);

export async function readStatus(home: AgentHome): Promise<DaemonStatus | null> {
  const found = await readJson(home.statusFile);
  if (found === undefined) return null;
  const object = objectOf(found, home.statusFile);
  return {
    pid: typeof object.pid === 'number' ? object.pid : 0,
    startedAt: textOrNull(object.startedAt) ?? '',
    link: LINK_STATES.find((state) => state === object.link) ?? 'stopped',
    lastContactAt: textOrNull(object.lastContactAt),
    lastError: textOrNull(object.lastError),
  };
}
