import type { Connection, DatabaseType, PreflightFinding, RestoreSelection } from '@rahatback/contracts';
import type { DigestForm, TableDigest } from '../dump/digest-collector.js';
import type { DatabaseTraits, DumpFacts } from '../dump/dump-facts.js';
import type { AfterRows, RoutedPart } from '../dump/parallel-router.js';
import type { SelectionPlan } from '../dump/selection-plan.js';
import type { ToolCommand, ToolExit } from '../process/spawn-tool.js';
import type { RestoreTrouble, ThrowawayRequest, ThrowawayServer } from './throwaway-server.js';

/** How to reach one database. The password lives in memory and in the environment of the client tools, nowhere else. */
export interface DatabaseAccess {
  readonly connection: Connection;
  readonly password: string | null;
  /** Path of a file that holds `connection.tlsCa`, for the client tools (see `withCaFile`). */
  readonly caFile?: string;
}

export type ProbePurpose = 'backup' | 'restore';

export interface ProbeResult {
  readonly serverVersion: string;
  readonly serverMajor: number;
  readonly latencyMs: number;
  /** What the database takes on the server's disk: the base of progress estimates. */
  readonly databaseBytes: number | null;
  readonly traits: DatabaseTraits;
}

/** The client programs of one installed version. */
export interface ClientTools {
  readonly major: number;
  /** `15.20` */
  readonly version: string;
  readonly folder: string;
  /** Why this version should be replaced, or null. */
  readonly warning: string | null;
}

export interface ToolSearch {
  /** Folders to look into first, such as one from the agent's configuration. */
  readonly extraFolders?: readonly string[];
  /** The PATH variable of this program. */
  readonly path?: string;
}

/** Takes the dump as it streams by. */
export interface DumpInspector {
  /** @throws AppError DUMP_INCOMPLETE for bytes that no dump of this engine has */
  push(bytes: Buffer): void;
  /** @throws AppError DUMP_INCOMPLETE unless the dump was whole to its end mark */
  finish(): Omit<DumpFacts, 'database'>;
}

/** Turns a dump into what the restoring program reads, and digests it on the way. */
export interface RestoreFeed {
  /** What to send before the dump. */
  readonly prelude: Buffer;
  /** @throws AppError DATA_CORRUPT for a dump that must not be run */
  push(bytes: Buffer): readonly Buffer[];
  /** @throws AppError DATA_CORRUPT when the dump was not whole */
  finish(): {
    readonly rest: readonly Buffer[];
    readonly digests: readonly TableDigest[];
    /** Of what was let through. */
    readonly facts: Omit<DumpFacts, 'database'>;
    /** What a selection let through and left out, in words; null without one. */
    readonly selected: string | null;
  };
}

/** As RestoreFeed, for several sessions. */
export interface ParallelFeed {
  /** What to send to each session before anything else. */
  readonly prelude: Buffer;
  /** What to send to each session after that, once the first rows have come. */
  preamble(): Buffer;
  /** @throws AppError DATA_CORRUPT for a dump that must not be run, or not so */
  push(bytes: Buffer): readonly RoutedPart[];
  /** @throws AppError DATA_CORRUPT when the dump was not whole */
  finish(): {
    readonly rest: readonly RoutedPart[];
    readonly after: AfterRows;
    readonly digests: readonly TableDigest[];
    readonly facts: Omit<DumpFacts, 'database'>;
  };
}

/** Reads a dump until it is clear what a selection needs. */
export interface SelectionReader {
  /** @returns true when no more is needed. @throws AppError DATA_CORRUPT */
  push(bytes: Buffer): boolean;
  plan(): SelectionPlan;
}

export interface StagingDatabase {
  readonly name: string;
  readonly restoreId: string;
}

/** What a restore is meant to do, to be examined before it is begun. */
export interface PreflightRequest {
  readonly targetDatabase: string;
  /** The database that a swap would replace; null for a restore beside. */
  readonly liveDatabase: string | null;
  /** Empty: everything. */
  readonly selection: readonly RestoreSelection[];
  /** Null when the backup could not be opened: what depends on it is left out. */
  readonly facts: DumpFacts | null;
  readonly tools: readonly ClientTools[];
}

/** The names of a swap; an undo names the same. */
export interface SwapRequest {
  readonly restoreId: string;
  readonly liveDatabase: string;
  readonly restoredDatabase: string;
  readonly retiredDatabase: string;
  /** How long sessions may take to end by themselves; 0 refuses a busy database. */
  readonly drainMs: number;
}

export interface SwapOutcome {
  /** 0 when the swap had been made before. */
  readonly drainedSessions: number;
  /** What is different now, in sentences. */
  readonly notes: readonly string[];
}

export interface DiscardRequest {
  readonly restoreId: string;
  readonly database: string;
}

/**
 * One kind of database server. An engine starts no process and keeps no state; it says what to run and judges what came of it. Every method that
 * talks to the server gives up after ten seconds without a connection, throws AppErrors that name user and host but never the password, and
 * may run twice.
 */
export interface DatabaseEngine {
  readonly type: DatabaseType;
  readonly dumpFormat: string;
  /**
   * For a backup: connects to the database and checks that everything in it can be read. For a restore: connects to the server, whose database
   * may be gone, and checks that the user may create one.
   * @throws AppError DB_UNREACHABLE, DB_AUTH_FAILED, DB_NOT_FOUND, DB_PRIVILEGE, DB_TLS
   */
  probe(access: DatabaseAccess, purpose: ProbePurpose): Promise<ProbeResult>;
  /** Every installed version, newest first. */
  findTools(search: ToolSearch): Promise<readonly ClientTools[]>;
  /** The lowest version that can dump that server. @throws AppError TOOL_MISSING, TOOL_VERSION */
  chooseTools(probe: Pick<ProbeResult, 'serverMajor' | 'serverVersion'>, tools: readonly ClientTools[]): ClientTools;
  /** `pg_dump 15.20` */
  toolName(tools: ClientTools): string;
  /** `source`: what the probe found, so that the dump is written in its encoding. */
  dumpCommand(access: DatabaseAccess, tools: ClientTools, source?: DatabaseTraits): ToolCommand;
  inspectDump(): DumpInspector;
  /** Why a dump that ended like this failed. */
  dumpFailure(exit: ToolExit, errorTail: string, access: DatabaseAccess): Error;
  restoreCommand(access: DatabaseAccess, tools: ClientTools): ToolCommand;
  /** Null tools: the dump is only judged, nothing reads what comes out. `form`: of the digests, default `rows`. */
  restoreFeed(tools: ClientTools | null, plan?: SelectionPlan | null, form?: DigestForm): RestoreFeed;
  parallelFeed(tools: ClientTools): ParallelFeed;
  /** A table's name as ParallelFeed gives it. */
  qualified(schema: string, table: string): string;
  /** @throws AppError SELECTION_INVALID naming what the backup lacks */
  planSelection(selection: readonly RestoreSelection[], facts: DumpFacts): SelectionReader;
  restoreFailure(exit: ToolExit, errorTail: string): Error;
  /** What the target lacks for this dump. @throws AppError RESTORE_FAILED naming roles and extensions, RESTORE_TARGET_EXISTS */
  preflight(access: DatabaseAccess, targetDatabase: string, facts: DumpFacts): Promise<void>;
  /** Creates an empty database like the source, marked as a restore in progress. @returns its name */
  createStaging(access: DatabaseAccess, restoreId: string, facts: DumpFacts): Promise<string>;
  /** Gives the finished staging database its final name, in one transaction. @throws AppError RESTORE_TARGET_EXISTS */
  publishStaging(
    access: DatabaseAccess,
    staging: string,
    target: { readonly targetDatabase: string; readonly restoreId: string },
    facts: DumpFacts,
  ): Promise<void>;
  /** The name of the database that this restore finished; null when there is none. */
  findRestored(access: DatabaseAccess, restoreId: string): Promise<string | null>;
  /** Drops a staging database with its sessions; any other database is refused. Nothing happens when it is not there. */
  dropStaging(access: DatabaseAccess, staging: string): Promise<void>;
  /** What crashed restores left behind. */
  findStaging(access: DatabaseAccess): Promise<readonly StagingDatabase[]>;
  /** Digests the same tables in `access.connection.database`, in the order of `expected`, each in the form that the expected one has. */
  digestDatabase(
    access: DatabaseAccess,
    expected: readonly TableDigest[],
    facts: DumpFacts,
    signal: AbortSignal,
  ): Promise<readonly TableDigest[]>;
  /** Names of sequences that do not stand where the dump set them. */
  differingSequences(access: DatabaseAccess, facts: DumpFacts): Promise<readonly string[]>;
  /** What stands in the way of a restore, and what it would change; makes nothing and does not throw for a server that is away. */
  examine(access: DatabaseAccess, request: PreflightRequest): Promise<readonly PreflightFinding[]>;
  /** Puts a restored database into the place of the live one, at once or not at all. @throws AppError SWAP_REFUSED, SWAP_FAILED */
  swap(access: DatabaseAccess, request: SwapRequest, signal: AbortSignal): Promise<SwapOutcome>;
  /** Turns a swap round. @throws AppError SWAP_REFUSED, SWAP_FAILED */
  undoSwap(access: DatabaseAccess, request: SwapRequest, signal: AbortSignal): Promise<SwapOutcome>;
  /** Gives connections back that a swap or an undo had blocked when it died. */
  reopenAfterSwap(access: DatabaseAccess, request: SwapRequest): Promise<void>;
  /** Drops what a swap retired or an undo put aside. @throws AppError SWAP_REFUSED */
  discard(access: DatabaseAccess, request: DiscardRequest): Promise<void>;
  /** The exception to "starts no process": a server of its own for one verification, which the caller must stop. @throws as `startThrowaway` */
  startThrowaway(request: ThrowawayRequest): Promise<ThrowawayServer>;
  /** What the last words of a restore into a throw-away server say: against the backup, or about the machine. */
  restoreTrouble(said: string): RestoreTrouble;
}
