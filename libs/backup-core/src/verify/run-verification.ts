import type { AppError } from '@rahatback/contracts';
import { endingError } from '../as-app-error.js';
import { Progress } from '../progress.js';
import type { OpenBackup, OpenLink } from '../restore/open-backup.js';
import { checkChain, checkChecksums } from './chain-checks.js';
import { CheckList, checksOf, verdictOf } from './check-list.js';
import { judgeDamage, readStoredDump } from './read-stored-dump.js';
import {
  checkManifestAndKeys,
  checkObjects,
  indexStands,
  lookAtLinks,
  openChain,
  type Opening,
  type StoredGroup,
} from './stored-objects.js';
import { TrialRestore } from './trial-restore.js';
import { StoredSources, type VerificationContext } from './verification-context.js';
import type { VerificationOutcome, VerificationRequest } from './verification.js';

type Restored = Pick<VerificationOutcome, 'tables' | 'restoreMs' | 'logTail'>;

const NOTHING_RESTORED: Restored = { tables: [], restoreMs: null, logTail: '' };

/**
 * Judges one backup, reading each of its stored bytes once. What is wrong with the backup is an outcome, not an error. A full verification restores
 * into a throw-away server of its own: never into one that exists. Whatever happens, no process and no folder is left.
 * @throws AppError for what says nothing about the backup: CANCELLED, TIME_LIMIT, those of an unreachable storage
 */
export async function runVerification(request: VerificationRequest): Promise<VerificationOutcome> {
  try {
    request.signal.throwIfAborted();
    return await verify(request);
  } catch (error) {
    throw endingError(error, request.signal, 'verification');
  }
}

async function verify(request: VerificationRequest): Promise<VerificationOutcome> {
  const context: VerificationContext = {
    request,
    checks: new CheckList(request.level),
    progress: new Progress(request),
    stored: new StoredSources(request.backup),
  };
  context.progress.begin('open');
  const own = await checkManifestAndKeys(context);
  const restored = own ? await verifyOpened(context, own) : NOTHING_RESTORED;
  const checks = context.checks.list();
  return { ...verdictOf(checks), checks, ...restored };
}

async function verifyOpened(context: VerificationContext, own: OpenLink): Promise<Restored> {
  const { request, progress } = context;
  const { dumpBytes, serverVersion, tool } = own.manifest;
  progress.expectedBytes = dumpBytes;
  request.onStarted?.({ serverVersion, tool });
  progress.begin('objects');
  const objects = await checkObjects(context, own);
  const opening = indexStands(objects) ? await openChain(context, own) : null;
  const backup = opening && 'backup' in opening ? opening.backup : null;
  const links = backup ? await lookAtLinks(context, backup) : [];
  const isThere = [objects, ...links].every(({ damages }) => damages.length === 0);
  const restored = backup && isThere ? await readAndRestore(context, backup) : unreadable(context, opening);
  progress.begin('checksums');
  await checkChecksums(context, objects);
  await judgeChain(context, own, { opening, links });
  return restored;
}

async function readAndRestore(context: VerificationContext, backup: OpenBackup): Promise<Restored> {
  const trial = context.request.level === 'FULL' ? await TrialRestore.begin(context, backup) : null;
  try {
    await readStoredDump(context, backup, trial);
  } finally {
    await trial?.end();
  }
  return trial ? { tables: trial.tables, restoreMs: trial.restoreMs, logTail: trial.logTail } : NOTHING_RESTORED;
}

/** What can be said of a dump that cannot be read as a whole. */
function unreadable(context: VerificationContext, opening: Opening | null): Restored {
  const { request, checks } = context;
  if (opening && 'damage' in opening && !opening.ofLink) judgeDamage(context, opening.damage, 0);
  const names = checksOf(request.level).filter((name) => name !== 'checksums' && name !== 'chain');
  checks.skipRest(names, 'It cannot be judged: the dump cannot be read, because stored objects of it are missing or damaged.');
  return NOTHING_RESTORED;
}

interface Links {
  readonly opening: Opening | null;
  readonly links: readonly StoredGroup[];
}

async function judgeChain(context: VerificationContext, { manifest }: OpenLink, { opening, links }: Links): Promise<void> {
  const damage: AppError | null = opening && 'damage' in opening ? opening.damage : null;
  if (opening && 'damage' in opening && opening.ofLink) return checkChain(context, links, damage);
  if (opening && 'backup' in opening) return checkChain(context, links, null);
  if (manifest.chain.links.length === 0) return checkChain(context, [], null);
  context.checks.skipped('chain', 'It cannot be judged: the index, which says what this backup points into, cannot be read.');
}
