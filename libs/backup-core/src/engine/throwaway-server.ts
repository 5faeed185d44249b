import type { DumpFacts } from '../dump/dump-facts.js';
import type { ProcessRecord } from '../process/leftover.js';
import type { ToolCommand } from '../process/spawn-tool.js';
import type { ClientTools, DatabaseAccess, ToolSearch } from './database-engine.js';

/**
 * How a throw-away server and its client are kept apart from the machine, strongest first:
 * - `sandbox`: no network, own processes, sees only the system's programs, read-only, and its own folder (bubblewrap);
 * - `namespaces`: no network, own processes (unshare);
 * - `user`: an unprivileged user, nothing more.
 * In each of them it runs without privileges: as nobody when the agent is root, else as the agent's own user.
 */
export const ISOLATION_KINDS = ['sandbox', 'namespaces', 'user'] as const;
export type IsolationKind = (typeof ISOLATION_KINDS)[number];

/** Without root there is no other user to run as: then only the sandbox keeps a dump's code from the agent's own keys, and nothing less will do. */
export const safeIsolations = (uid = process.getuid?.()): readonly IsolationKind[] => (uid === 0 ? ISOLATION_KINDS : ['sandbox']);

export interface ThrowawayRequest {
  /** Names the folder, so that it is found after a crash. */
  readonly verificationId: string;
  /** Of the server that was dumped: `15.20 (Debian …)`. The throw-away one has the same major. */
  readonly serverVersion: string;
  readonly dumpBytes: number;
  readonly facts: DumpFacts;
  readonly tools: readonly ClientTools[];
  readonly search: ToolSearch;
  /** Folders that it may be made in; the first one with room is taken. */
  readonly workDirs: readonly string[];
  /** The kinds that may be used; the strongest usable one is. */
  readonly isolations: readonly IsolationKind[];
  readonly signal: AbortSignal;
  readonly onSpawn?: (record: ProcessRecord) => void;
}

/** What the server was found to have for a dump. */
export interface ThrowawayPreparation {
  readonly rolesCreated: number;
  readonly missingExtensions: readonly string[];
}

/** A running server that nobody else knows of. */
export interface ThrowawayServer {
  /** The superuser, in the maintenance database. */
  readonly access: DatabaseAccess;
  readonly serverVersion: string;
  readonly tools: ClientTools;
  /** Where, by whom, how isolated: small, for people. */
  readonly evidence: Readonly<Record<string, unknown>>;
  /** The same command as it runs beside the server. */
  sandboxed(command: ToolCommand): ToolCommand;
  /** Creates the roles that the dump names (they cannot log in) and looks for its extensions. */
  prepare(facts: DumpFacts): Promise<ThrowawayPreparation>;
  hasEnded(): boolean;
  /** Bytes that it may still take of its disk, which it shares with others; none at 0 and below. */
  roomBytes(): Promise<number>;
  /** Ends the server with all its processes and removes its folder. May run twice. @throws AppError INTERNAL naming what stays */
  stop(): Promise<void>;
}

/** Why a restore into a throw-away server stopped: only `sql` says something against the backup. */
export type RestoreTrouble =
  { readonly kind: 'no room' } | { readonly kind: 'requirement'; readonly what: string } | { readonly kind: 'sql' };
