import type { AgentToServerEvents, Role, ServerToPersonEvents } from '@rahatback/contracts';
import type { Frames } from './event-world.js';

/** Only a registered agent says these, and only of its own work. `frame` is what the agent at work would say. */
export interface EventRow {
  readonly who: 'agent';
  readonly frame: (frames: Frames) => unknown;
}

const agent = (frame: EventRow['frame']): EventRow => ({ who: 'agent', frame });

const AT = '2026-01-01T00:00:00.000Z';
const SHA256 = 'ab'.repeat(32);
const WORDS = { steps: [], logTail: 'done' };
const ERROR = { code: 'DUMP_FAILED', message: 'The tool stopped.' };
const PROGRESS = { progress: 1, currentStep: 'dump', bytesRead: 1, bytesStored: 1, bytesPerSecond: 1, etaSeconds: null };
const STARTED = { at: AT, clientTool: 'pg_dump 15.20', serverVersion: '15.20' };
const FAILED = { error: ERROR, ...WORDS };
const PART = { sizeBytes: 1, sha256: SHA256, md5: Buffer.alloc(16).toString('base64') };
const SWAPPED = { liveDatabase: 'shop', drainedSessions: 0 };

/** One row for each event that an agent may send. */
export const AGENT_EVENTS: Readonly<Record<keyof AgentToServerEvents, EventRow>> = {
  'agent:register': agent(({ registration }) => registration),
  'agent:journal': agent(({ backup }) => [{ ...backup, type: 'job:execute', state: 'running', resource: 'backup:x' }]),
  heartbeat: agent(({ backup }) => ({ running: [{ ...backup, resource: 'backup:x' }] })),
  'database:test:result': agent(({ test }) => ({ ...test, success: true })),
  'backup:started': agent(({ backup }) => ({ ...backup, ...STARTED })),
  'backup:progress': agent(({ backup }) => ({ ...backup, ...PROGRESS })),
  'backup:completed': agent(({ backup, ids }) => ({
    ...backup,
    backupId: ids.runningBackup,
    manifestSha256: SHA256,
    ...WORDS,
  })),
  'backup:failed': agent(({ backup }) => ({ ...backup, ...FAILED })),
  'restore:started': agent(({ restore }) => ({ ...restore, ...STARTED })),
  'restore:progress': agent(({ restore }) => ({ ...restore, ...PROGRESS })),
  'restore:completed': agent(({ restore, ids }) => ({
    ...restore,
    restoreId: ids.restore,
    targetDatabase: 'running_restore',
    tables: [],
    bytesRestored: 1,
    ...WORDS,
  })),
  'restore:failed': agent(({ restore }) => ({ ...restore, ...FAILED })),
  'restore:preflight:result': agent(({ preflight }) => ({ ...preflight, findings: [] })),
  'restore:swap:result': agent(({ swap, ids, retired }) => ({
    ...swap,
    ...SWAPPED,
    restoreId: ids.swapped,
    retiredDatabase: retired,
  })),
  'restore:undo:result': agent(({ undo, ids, retired }) => ({
    ...undo,
    ...SWAPPED,
    restoreId: ids.swapped,
    retiredDatabase: retired,
  })),
  'restore:discard:result': agent(({ discard, ids }) => ({ ...discard, restoreId: ids.swapped })),
  'verification:started': agent(({ verification }) => ({ ...verification, ...STARTED })),
  'verification:progress': agent(({ verification }) => ({ ...verification, ...PROGRESS })),
  'verification:completed': agent(({ verification, ids }) => ({
    ...verification,
    verificationId: ids.verification,
    status: 'SKIPPED',
    reason: 'No room.',
    checks: [],
    tables: [],
    tablesTotal: null,
    tablesEqual: null,
    restoreMs: null,
    ...WORDS,
  })),
  'verification:failed': agent(({ verification }) => ({ ...verification, ...FAILED })),
  'keys:rewrap:result': agent(({ rewrap }) => ({ ...rewrap, error: ERROR })),
  'backup:delete:result': agent(({ removal }) => removal),
  'backup:export:result': agent(({ exported }) => ({ ...exported, path: '/exports/x', sizeBytes: 1, sha256: SHA256 })),
  'command:refused': agent(({ verification }) => ({ ...verification, error: ERROR })),
  'upload:begin': agent(({ backup }) => ({ ...backup, object: 'index' })),
  'upload:part': agent(({ backup }) => ({ ...backup, object: 'data-00001', partNumber: 1, ...PART })),
  'upload:complete': agent(({ backup }) => ({
    ...backup,
    object: 'data-00001',
    sizeBytes: 1,
    sha256: SHA256,
    parts: [{ partNumber: 1, ...PART, etag: 'x' }],
  })),
  'upload:publish': agent(({ backup }) => ({ ...backup, object: 'keys-1.json', content: 'e30=' })),
  'upload:abort': agent(({ backup }) => backup),
  'download:open': agent(({ verification, location }) => ({ ...verification, location, object: 'data-00001' })),
};

/** What people's sockets hear of their own workspace, and the least role that hears it. People send nothing. */
export const PEOPLE_EVENTS: Readonly<Record<keyof ServerToPersonEvents, Role>> = {
  'backup:started': 'viewer',
  'backup:progress': 'viewer',
  'backup:completed': 'viewer',
  'backup:failed': 'viewer',
  'restore:started': 'viewer',
  'restore:progress': 'viewer',
  'restore:completed': 'viewer',
  'restore:failed': 'viewer',
  'restore:swap': 'viewer',
  'verification:started': 'viewer',
  'verification:progress': 'viewer',
  'verification:completed': 'viewer',
  'verification:failed': 'viewer',
  'agent:status': 'viewer',
  'account:notice': 'viewer',
};
