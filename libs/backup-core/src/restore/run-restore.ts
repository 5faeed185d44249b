import { AppError, type RestoreSelection, type TableComparison } from '@rahatback/contracts';
import { endingError } from '../as-app-error.js';
import { crashPoint } from '../crash-point.js';
import { qualifiedName } from '../dump/copy-target.js';
import type { TableDigest } from '../dump/digest-collector.js';
import type { DumpFacts } from '../dump/dump-facts.js';
import type { SelectionPlan } from '../dump/selection-plan.js';
import { withCaFile } from '../engine/ca-file.js';
import type { ClientTools, DatabaseAccess, DatabaseEngine, ProbeResult } from '../engine/database-engine.js';
import type { ProcessRecord } from '../process/leftover.js';
import { spawnTool, type RunningTool } from '../process/spawn-tool.js';
import { Progress, type RunListener } from '../progress.js';
import { compareWithDump } from './compare-with-dump.js';
import { assertEqual } from './compare-tables.js';
import { ToolEndedEarly, ToolFeeder } from './feed-tool.js';
import { midPoint } from './mid-point.js';
import type { OpenBackup } from './open-backup.js';
import { loadParallel } from './parallel-load.js';
import { dumpBytes } from './read-dump.js';
import { sessionCount } from './session-count.js';

export interface RestoreRequest extends RunListener {
  readonly engine: DatabaseEngine;
  readonly backup: OpenBackup;
  /** The target server; `connection.database` only says what to connect to for the probe. */
  readonly access: DatabaseAccess;
  readonly tools: readonly ClientTools[];
  /** A name that is not taken yet. */
  readonly targetDatabase: string;
  /** Names the staging database, so that it can be recognised after a crash. */
  readonly restoreId: string;
  /** Only these tables and schemas; empty or left out: everything. */
  readonly selection?: readonly RestoreSelection[];
  /** Sessions that load at once, as far as the machine has room; 0 leaves it to the machine. Default 1. */
  readonly parallelism?: number;
  readonly signal: AbortSignal;
  readonly onStarted?: (started: { readonly probe: ProbeResult; readonly tool: string }) => void;
  readonly onSpawn?: (record: ProcessRecord) => void;
  /** Everything is compared and equal; once this is back, the database gets its name. Whoever must know of a success after a crash writes it down here. */
  readonly onCompared?: (result: RestoreResult) => Promise<void>;
}

export interface RestoreResult {
  /** Every one equal, else the restore had failed. */
  readonly tables: readonly TableComparison[];
  readonly bytesRestored: number;
  readonly logTail: string;
}

/** What a selection comes to; null without one. */
type Planned = RestoreRequest & { readonly plan: SelectionPlan | null };

interface Loaded {
  readonly facts: Pick<DumpFacts, 'tables' | 'sequences'>;
  readonly digests: readonly TableDigest[];
  readonly logTail: string;
}

/**
 * Restores beside: into a new staging database, in one transaction, digested table by table against the dump, and only then given its name. The
 * live database is never written to. Whatever goes wrong, the staging database is dropped and no process is left.
 * @throws AppError RESTORE_FAILED (the failing statement), RESTORE_DIGEST_MISMATCH (the tables), RESTORE_TARGET_EXISTS, ENGINE_MISMATCH, those of
 *   probing and of reading the backup, CANCELLED
 */
export async function runRestore(request: RestoreRequest): Promise<RestoreResult> {
  try {
    request.signal.throwIfAborted();
    assertEngineFits(request);
    return await withCaFile(request.access, (access) => restore({ ...request, access }));
  } catch (error) {
    throw endingError(error, request.signal, 'restore');
  }
}

function assertEngineFits({ engine, backup }: RestoreRequest): void {
  const { manifest } = backup.link;
  if (manifest.engine === engine.type && manifest.dumpFormat === engine.dumpFormat) return;
  throw new AppError(
    'ENGINE_MISMATCH',
    `This is a ${manifest.engine} backup (${manifest.dumpFormat}); the target is ${engine.type}. Choose a fitting target.`,
  );
}

async function restore(request: RestoreRequest): Promise<RestoreResult> {
  const { engine, access, backup, targetDatabase, restoreId } = request;
  const progress = new Progress(request, backup.end.bytes);
  progress.begin('connect');
  const probe = await engine.probe(access, 'restore');
  const tools = engine.chooseTools(probe, request.tools);
  request.onStarted?.({ probe, tool: engine.toolName(tools) });
  await engine.preflight(access, targetDatabase, backup.facts);

  const plan = await planOf(request);

  progress.begin('create');
  const staging = await engine.createStaging(access, restoreId, backup.facts);
  try {
    crashPoint('restore.created');
    const inStaging: DatabaseAccess = { ...access, connection: { ...access.connection, database: staging } };
    progress.begin('load', engine.toolName(tools));
    const { digests, facts, logTail } = await loadFitting({ ...request, plan }, inStaging, tools, progress);
    crashPoint('restore.loaded');

    progress.begin('digest');
    const tables = await compareWithDump({ ...request, access: inStaging, plan }, digests, progress);
    assertEqual(tables, await engine.differingSequences(inStaging, { ...backup.facts, ...facts }));
    crashPoint('restore.digested');

    request.signal.throwIfAborted();
    const result = { tables, bytesRestored: backup.end.bytes, logTail };
    await request.onCompared?.(result);
    progress.begin('publish', targetDatabase);
    await engine.publishStaging(access, staging, { targetDatabase, restoreId }, backup.facts);
    crashPoint('restore.renamed');
    return result;
  } catch (error) {
    await engine.dropStaging(access, staging).catch(() => undefined);
    throw error;
  }
}

/** Reads as much of the backup as it takes to know what a selection needs. @throws AppError SELECTION_INVALID */
async function planOf({ engine, backup, selection, signal }: RestoreRequest): Promise<SelectionPlan | null> {
  if (selection === undefined || selection.length === 0) return null;
  const reader = engine.planSelection(selection, backup.facts);
  for await (const bytes of dumpBytes(backup)) {
    signal.throwIfAborted();
    if (reader.push(bytes)) break;
  }
  return reader.plan();
}

/**
 * By several sessions when that was asked for, the machine has room and the whole backup is restored. What fails so is tried once more as psql would
 * do it alone: a dump may have an order that only one session keeps.
 */
async function loadFitting(request: Planned, access: DatabaseAccess, tools: ClientTools, progress: Progress): Promise<Loaded> {
  const sessions = request.plan === null ? sessionCount(request.parallelism ?? 1) : 1;
  if (sessions === 1) return load(request, access, tools, progress);
  try {
    progress.begin('parallel', `${sessions} sessions`);
    const loaded = await loadParallel({ request, access, tools, sessions, progress });
    assertRowsAsRecorded(loaded.digests, request.backup, null);
    return loaded;
  } catch (error) {
    if (!mayBeOrder(error)) throw error;
    const again = new Progress(request, request.backup.end.bytes);
    again.begin('one session', `Several at once did not work: ${error.message}`.slice(0, 1_000));
    await request.engine.createStaging(request.access, request.restoreId, request.backup.facts);
    return load(request, access, tools, again);
  }
}

/** A statement failed, or rows stand where the router does not expect them; nothing is known to be wrong with what is stored. */
const mayBeOrder = (error: unknown): error is AppError =>
  error instanceof AppError &&
  (error.code === 'RESTORE_FAILED' || (error.code === 'DATA_CORRUPT' && error.details?.object === undefined));

async function load(request: Planned, access: DatabaseAccess, tools: ClientTools, progress: Progress): Promise<Loaded> {
  const { engine, signal, onSpawn } = request;
  const secrets = access.password === null ? [] : [access.password];
  const tool = await spawnTool(engine.restoreCommand(access, tools), { signal, secrets, ...(onSpawn ? { onSpawn } : {}) });
  request.onTool?.(() => tool.errorTail());
  // What statements answer is of no use, but must be read.
  tool.stdout.resume();
  try {
    return { ...(await feed(request, tools, tool, progress)), logTail: tool.errorTail() };
  } catch (error) {
    // Killed before stdin ends: psql would take that end for the end of the dump, and commit.
    await tool.kill();
    if (error instanceof ToolEndedEarly) throw engine.restoreFailure(error.exit, tool.errorTail());
    throw error;
  }
}

async function feed(
  request: Planned,
  tools: ClientTools,
  tool: RunningTool,
  progress: Progress,
): Promise<Omit<Loaded, 'logTail'>> {
  const { engine, backup, signal, plan } = request;
  const restoreFeed = engine.restoreFeed(tools, plan, 'text');
  const feeder = new ToolFeeder(tool);
  await feeder.write(restoreFeed.prelude);
  progress.startFlow();
  const passMid = midPoint();
  // The feeder copies what it is given; a selection keeps pieces for later.
  for await (const bytes of dumpBytes(backup, { lends: plan === null })) {
    signal.throwIfAborted();
    for (const piece of restoreFeed.push(bytes)) await feeder.write(piece);
    progress.add(bytes.length);
    passMid(progress.bytesRead);
  }
  const { rest, digests, facts, selected } = restoreFeed.finish();
  for (const piece of rest) await feeder.write(piece);
  assertRowsAsRecorded(digests, backup, plan);
  if (selected !== null) progress.begin('select', selected);
  const exit = await feeder.finish();
  signal.throwIfAborted();
  if (exit.code !== 0) throw engine.restoreFailure(exit, tool.errorTail());
  return { digests, facts };
}

/** The stream was counted when it was made: the same bytes must give the same counts. */
function assertRowsAsRecorded(digests: readonly TableDigest[], { facts }: OpenBackup, plan: SelectionPlan | null): void {
  const recorded = facts.tables.filter(({ schema, table }) => plan === null || plan.tables.has(qualifiedName(schema, table)));
  const wrong = recorded.find(({ schema, table, rows }, position) => {
    const found = digests[position];
    return found?.schema !== schema || found.table !== table || found.rows !== rows;
  });
  if (wrong)
    throw new AppError(
      'DATA_CORRUPT',
      `The dump's rows of ${wrong.schema}.${wrong.table} are not those that were recorded. Report this.`,
    );
}
