import type { TableComparison, VerificationCheck, VerificationLevel, VerificationVerdict } from '@rahatback/contracts';
import type { ClientTools, DatabaseAccess, DatabaseEngine, ToolSearch } from '../engine/database-engine.js';
import type { IsolationKind } from '../engine/throwaway-server.js';
import type { ProcessRecord } from '../process/leftover.js';
import type { RunListener } from '../progress.js';
import type { ChainToOpen } from '../restore/open-backup.js';

export interface VerificationRequest extends RunListener {
  readonly engine: DatabaseEngine;
  /** The backup and where its links stand. */
  readonly backup: ChainToOpen;
  /** Names the throw-away server's folder, so that it can be found after a crash. */
  readonly verificationId: string;
  readonly level: VerificationLevel;
  readonly tools: readonly ClientTools[];
  /** Where server programs are looked for besides the usual places. */
  readonly search: ToolSearch;
  readonly signal: AbortSignal;
  /** Told when the manifest is trusted: by what the backup was made. */
  readonly onStarted?: (made: { readonly serverVersion: string; readonly tool: string }) => void;
  readonly onSpawn?: (record: ProcessRecord) => void;
  /** Folders that the throw-away server may be made in; default the temporary folder and /var/tmp. */
  readonly workDirs?: readonly string[];
  /** How it may be isolated, the strongest usable first; default every kind for root, the sandbox alone for others. */
  readonly isolations?: readonly IsolationKind[];
  /** For tests: alters the restored copy before it is compared. */
  readonly onRestored?: (access: DatabaseAccess) => Promise<void>;
}

export interface VerificationOutcome {
  /** FAILED only for what was seen to be wrong with the backup. */
  readonly status: VerificationVerdict;
  /** Why it failed or was skipped, else null. */
  readonly reason: string | null;
  /** One for each check of the level, in the order of VERIFICATION_CHECKS. */
  readonly checks: readonly VerificationCheck[];
  /** Of a FULL verification that could compare; else empty. */
  readonly tables: readonly TableComparison[];
  /** From CREATE DATABASE to the last index; null where nothing was restored. */
  readonly restoreMs: number | null;
  /** What the restoring program said; empty where there was none. */
  readonly logTail: string;
}
