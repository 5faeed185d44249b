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
import { assertEqual, compareTables } from './compare-tables.js';
import { ToolEndedEarly, ToolFeeder } from './feed-tool.js';
import type { OpenBackup } from './open-backup.js';
import { dumpBytes } from './read-dump.js';

/** Dump bytes between two passes of the crash point `restore.mid`. */
const MID_EVERY_BYTES = 1024 * 1024;

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
    const { digests, facts, logTail } = await load({ ...request, plan }, inStaging, tools, progress);
    crashPoint('restore.loaded');

    progress.begin('digest');
    const restored = await engine.digestDatabase(inStaging, digests, backup.facts, request.signal);
    const tables = compareTables(digests, restored);
    assertEqual(tables, await engine.differingSequences(inStaging, { ...backup.facts, ...facts }));
    crashPoint('restore.digested');

    request.signal.throwIfAborted();
    const result = { tables, bytesRestored: progress.bytesRead, logTail };
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
  const restoreFeed = engine.restoreFeed(tools, plan);
  const feeder = new ToolFeeder(tool);
  await feeder.write(restoreFeed.prelude);
  progress.startFlow();
  let midAt = MID_EVERY_BYTES;
  for await (const bytes of dumpBytes(backup)) {
    signal.throwIfAborted();
    for (const piece of restoreFeed.push(bytes)) await feeder.write(piece);
    progress.add(bytes.length);
    if (progress.bytesRead >= midAt) {
      midAt += MID_EVERY_BYTES;
      crashPoint('restore.mid');
    }
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
