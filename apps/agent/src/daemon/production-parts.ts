import { join } from 'node:path';
import {
  IndexCache,
  killLeftover,
  postgresEngine,
  SeenObjects,
  type DatabaseEngine,
  type ToolSearch,
} from '@rahatback/backup-core';
import type { ToolVersion } from '@rahatback/contracts';
import type { Executors } from '../commands/executor.js';
import type { AgentConfig } from '../config/agent-config.js';
import { backupExecutor } from '../executors/backup.executor.js';
import { backupDeleteExecutor } from '../executors/backup-delete.executor.js';
import { backupExportExecutor } from '../executors/backup-export.executor.js';
import { databaseTestExecutor } from '../executors/database-test.executor.js';
import { dropStagingOf, isRestoredBy } from '../executors/drop-staging.js';
import type { ExecutorParts } from '../executors/executor-parts.js';
import { keysRewrapExecutor } from '../executors/keys-rewrap.executor.js';
import { discardExecutor } from '../executors/restore-discard.executor.js';
import { preflightExecutor } from '../executors/restore-preflight.executor.js';
import { reopenAfterSwapOf } from '../executors/restore-swap-reopen.js';
import { swapExecutor, undoExecutor } from '../executors/restore-swap.executor.js';
import { restoreExecutor } from '../executors/restore.executor.js';
import { verificationExecutor } from '../executors/verification.executor.js';
import { removeVerificationLeftovers } from '../executors/verification-leftovers.js';
import type { AgentLog } from '../log.js';
import type { AgentHome } from '../state/agent-home.js';
import { settleFilesOf } from '../storage/settle-files.js';
import type { DaemonParts } from './agent-daemon.js';

const PROGRAMS = ['pg_dump', 'psql'] as const;

const executorsOf = (parts: ExecutorParts, search: ToolSearch): Executors => ({
  'database:test': databaseTestExecutor(parts),
  'job:execute': backupExecutor(parts),
  'restore:execute': restoreExecutor(parts),
  'restore:preflight': preflightExecutor(parts),
  'restore:swap': swapExecutor(parts),
  'restore:undo': undoExecutor(parts),
  'restore:discard': discardExecutor(parts),
  'verification:execute': verificationExecutor(parts, search),
  'backup:delete': backupDeleteExecutor(parts),
  'backup:export': backupExportExecutor(parts),
  'keys:rewrap': keysRewrapExecutor(parts),
});

/** The daemon as it runs at a customer's. Tools are looked for at each use, so that an upgrade of them needs no restart. */
export function productionParts(
  config: Pick<AgentConfig, 'toolDirs' | 'path' | 'stallMs'>,
  home: AgentHome,
  log: AgentLog,
): DaemonParts {
  const search = { extraFolders: config.toolDirs, path: config.path };
  const indexes = new IndexCache(join(home.cacheDir, 'indexes'));
  const seen = new SeenObjects(join(home.cacheDir, 'seen-objects'));
  const find: ExecutorParts['tools'] = (engine: DatabaseEngine) => engine.findTools(search);
  return {
    tools: async (): Promise<ToolVersion[]> => {
      const found = await find(postgresEngine);
      for (const { warning } of found) if (warning !== null) log.warn({ warning }, 'Client tools');
      return found.flatMap(({ version, folder }) => PROGRAMS.map((name) => ({ name, version, path: join(folder, name) })));
    },
    executors: ({ identity, keys, requests, link }) => {
      const own = { identity, keys, requests, link, home };
      return executorsOf({ ...own, log, tools: find, indexes, seen, stallMs: config.stallMs }, search);
    },
    interrupted: ({ identity, keys }) => ({
      killChild: killLeftover,
      isRestored: (entry) => isRestoredBy(entry, { identity, keys, log }),
      settleFiles: async (entry) => {
        await removeVerificationLeftovers(entry, { identity, log });
        return settleFilesOf(entry, { home, identity, log });
      },
      reopen: (entry) => reopenAfterSwapOf(entry, { identity, keys, log }),
      dropStaging: (entry) => dropStagingOf(entry, { identity, keys, log }),
    }),
  };
}
