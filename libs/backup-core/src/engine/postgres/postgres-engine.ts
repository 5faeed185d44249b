import type { DatabaseEngine } from '../database-engine.js';
import { dumpCommand, restoreCommand } from './pg-commands.js';
import { differingSequences, digestDatabase } from './pg-digests.js';
import { qualifiedName } from '../../dump/copy-target.js';
import { inspectDump, parallelFeed, planSelection, restoreFeed } from './pg-dump-stream.js';
import { dumpFailure, restoreFailure } from './pg-failures.js';
import { examine } from './pg-preflight.js';
import { probe } from './pg-probe.js';
import { createStaging, dropStaging, findRestored, findStaging, preflight, publishStaging } from './pg-staging.js';
import { reopenAfterSwap, swap, undoSwap } from './pg-swap.js';
import { discard } from './pg-swap-discard.js';
import { chooseTools, findTools } from './pg-tools.js';
import { startThrowaway } from './throwaway.js';
import { restoreTrouble } from './throwaway-trouble.js';

/** PostgreSQL by its own client tools: plain pg_dump in, psql out (docs/adr/0002). */
export const postgresEngine: DatabaseEngine = {
  type: 'postgresql',
  dumpFormat: 'plain',
  probe,
  findTools,
  chooseTools,
  toolName: ({ version }) => `pg_dump ${version}`,
  dumpCommand,
  inspectDump,
  dumpFailure,
  restoreCommand,
  restoreFeed,
  parallelFeed,
  qualified: qualifiedName,
  planSelection,
  restoreFailure,
  preflight,
  createStaging,
  publishStaging,
  findRestored,
  dropStaging,
  findStaging,
  digestDatabase,
  differingSequences,
  examine,
  swap,
  undoSwap,
  reopenAfterSwap,
  discard,
  startThrowaway,
  restoreTrouble,
};
