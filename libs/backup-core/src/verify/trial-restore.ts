import { AppError, type TableComparison, type VerificationCheckName } from '@rahatback/contracts';
import { crashPoint } from '../crash-point.js';
import type { TableDigest } from '../dump/digest-collector.js';
import type { ClientTools, DatabaseAccess } from '../engine/database-engine.js';
import { THROWAWAY_WORK_DIRS } from '../engine/postgres/throwaway-folder.js';
import { safeIsolations, type ThrowawayServer } from '../engine/throwaway-server.js';
import { spawnTool, type RunningTool, type ToolExit } from '../process/spawn-tool.js';
import { ToolEndedEarly, ToolFeeder } from '../restore/feed-tool.js';
import type { OpenBackup } from '../restore/open-backup.js';
import { listed, stopwatch } from './check-list.js';
import { compareRestored } from './compare-restored.js';
import { evidenceOf } from './damage.js';
import type { VerificationContext } from './verification-context.js';

const AFTER_SERVER: readonly VerificationCheckName[] = ['requirements', 'restore', 'row counts', 'digests', 'sequences'];
const AFTER_RESTORE: readonly VerificationCheckName[] = ['row counts', 'digests', 'sequences'];
const DISK_LOOK_EVERY_MS = 1_000;
const LOST = /server closed the connection|connection to server was lost|terminating connection|the database system is/i;

interface Loading {
  readonly access: DatabaseAccess;
  readonly tool: RunningTool;
  readonly feeder: ToolFeeder;
  readonly took: () => number;
}

/** The copy that a FULL verification restores: its server, what is fed to it, and what is found in it. Stop it with `end`, whatever happens. */
export class TrialRestore {
  private loading: Loading | null = null;
  private isOver = false;
  private isStopped = false;
  /** The disk got too full for others, and the restore was ended for that. */
  private tookTooMuch = false;
  private diskWatch: NodeJS.Timeout | null = null;
  private requirements: Readonly<Record<string, unknown>> = {};
  tables: readonly TableComparison[] = [];
  restoreMs: number | null = null;

  private constructor(
    private readonly context: VerificationContext,
    private readonly backup: OpenBackup,
    private readonly server: ThrowawayServer,
  ) {}

  /** Null, and the checks of FULL skipped, where there cannot be a server. @throws AppError when the run was stopped */
  static async begin(context: VerificationContext, backup: OpenBackup): Promise<TrialRestore | null> {
    const { request, checks, progress } = context;
    const took = stopwatch();
    progress.begin('server');
    const server = await startServer(context, backup).catch((error: unknown) => {
      request.signal.throwIfAborted();
      if (!(error instanceof AppError)) throw error;
      checks.skipped('server', error.message, evidenceOf(error), took());
      checks.skipRest([...AFTER_SERVER, 'cleanup'], 'There is no throw-away server to restore into.');
      return null;
    });
    if (!server) return null;
    const trial = new TrialRestore(context, backup, server);
    try {
      crashPoint('verify.server.started');
      checks.passed('server', `A throw-away PostgreSQL ${server.serverVersion} was started.`, server.evidence, took());
      await trial.prepare();
      return trial;
    } catch (error) {
      await trial.end();
      throw error;
    }
  }

  get tools(): ClientTools {
    return this.server.tools;
  }

  get logTail(): string {
    return this.loading?.tool.errorTail() ?? '';
  }

  /** Passes pieces of the dump on, as long as the restore goes well. */
  async write(pieces: readonly Buffer[]): Promise<void> {
    const { loading } = this;
    if (this.isOver || !loading) return;
    try {
      for (const piece of pieces) if (piece.length > 0) await loading.feeder.write(piece);
    } catch (error) {
      if (!(error instanceof ToolEndedEarly)) throw error;
      this.stopped(loading, error.exit);
    }
  }

  /** Gives the restore up, because what is fed to it cannot be right. */
  async abandon(why: string): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    // Killed before stdin ends: psql would take that end for the end of the dump, and commit.
    await this.loading?.tool.kill();
    this.context.checks.skipRest(AFTER_SERVER, why);
  }

  /** The whole dump was written: waits for the restore and compares the copy with it. */
  async finish(digests: readonly TableDigest[]): Promise<void> {
    const { loading, context } = this;
    if (this.isOver || !loading) return;
    const exit = await loading.feeder.finish();
    if (exit.code !== 0) {
      this.stopped(loading, exit);
      return;
    }
    this.isOver = true;
    context.request.signal.throwIfAborted();
    this.restoreMs = loading.took();
    crashPoint('verify.restored');
    const { checks, request, progress } = context;
    const { roles, extensions } = this.backup.facts;
    checks.passed(
      'requirements',
      `${roles.length} roles and ${extensions.length} extensions of the dump are there.`,
      this.requirements,
      0,
    );
    const message = `The dump was restored in one transaction in ${this.restoreMs} ms.`;
    checks.passed('restore', message, { restoreMs: this.restoreMs, bytes: progress.bytesRead }, this.restoreMs);
    await request.onRestored?.(loading.access);
    progress.begin('digest');
    const server = { access: loading.access, hasEnded: () => this.server.hasEnded() };
    this.tables = await compareRestored(context, this.backup, { digests, server });
  }

  /** Stops the server and judges `cleanup`. May run twice. */
  async end(): Promise<void> {
    if (this.isStopped) return;
    this.isStopped = true;
    if (this.diskWatch) clearInterval(this.diskWatch);
    const took = stopwatch();
    const { checks } = this.context;
    await this.loading?.tool.kill();
    try {
      await this.server.stop();
      checks.passed('cleanup', 'The throw-away server was stopped and its folder removed.', {}, took());
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      checks.failed('cleanup', error.message, evidenceOf(error), took());
    }
  }

  /** Roles, extensions, the empty copy, and psql waiting for the dump. */
  private async prepare(): Promise<void> {
    const { request, checks, progress } = this.context;
    const { facts } = this.backup;
    const took = stopwatch();
    const { rolesCreated, missingExtensions } = await this.server.prepare(facts);
    this.requirements = { rolesCreated, extensions: listed(facts.extensions), missingExtensions: listed(missingExtensions) };
    if (missingExtensions.length > 0) {
      const message = `The agent's machine lacks extensions of this database for PostgreSQL ${this.server.serverVersion}: ${listed(missingExtensions).join(', ')}. Install their packages there.`;
      checks.skipped('requirements', message, this.requirements, took());
      await this.abandon('It was not restored, because extensions are missing.');
      return;
    }
    const restoring = stopwatch();
    const staging = await this.createCopy();
    if (staging === null) return;
    const access = { ...this.server.access, connection: { ...this.server.access.connection, database: staging } };
    progress.begin('restore', request.engine.toolName(this.tools));
    const command = this.server.sandboxed(request.engine.restoreCommand(access, this.tools));
    const { signal, onSpawn } = request;
    const secrets = access.password === null ? [] : [access.password];
    const tool = await spawnTool(command, { signal, secrets, ...(onSpawn ? { onSpawn } : {}) });
    request.onTool?.(() => tool.errorTail());
    // What statements answer is of no use, but must be read.
    tool.stdout.resume();
    this.loading = { access, tool, feeder: new ToolFeeder(tool), took: restoring };
    this.diskWatch = setInterval(() => {
      this.leaveRoom(tool).catch(() => undefined);
    }, DISK_LOOK_EVERY_MS);
  }

  /** Ends the restore before it takes what others on this machine need. */
  private async leaveRoom(tool: RunningTool): Promise<void> {
    if (this.isOver || (await this.server.roomBytes()) > 0) return;
    this.tookTooMuch = true;
    await tool.kill();
  }

  private async createCopy(): Promise<string | null> {
    const { request, checks } = this.context;
    try {
      return await request.engine.createStaging(this.server.access, request.verificationId, this.backup.facts);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      checks.skipped(
        'requirements',
        `${error.message} Install the locale of the source on the agent's machine.`,
        evidenceOf(error),
      );
      await this.abandon('It was not restored, because the machine cannot make a database like the source.');
      return null;
    }
  }

  /** psql ended by itself, which it does at the first error. */
  private stopped({ tool, took }: Loading, exit: ToolExit): void {
    this.isOver = true;
    const { request, checks } = this.context;
    request.signal.throwIfAborted();
    const said = tool.errorTail();
    const failure = request.engine.restoreFailure(exit, said);
    const trouble = request.engine.restoreTrouble(said);
    const evidence = { exitCode: exit.code, signal: exit.signal };
    if (this.tookTooMuch || trouble.kind === 'no room') {
      checks.skipped(
        'restore',
        `The disk or memory of the agent's machine got too full during the restore: free some, or verify at level DATABASE. ${failure.message}`,
        evidence,
        took(),
      );
    } else if (trouble.kind === 'requirement') {
      const message = `The agent's machine lacks what this database needs: ${trouble.what}. Install it there.`;
      checks.skipped('requirements', message, { ...this.requirements, lacks: trouble.what }, took());
      checks.skipped('restore', 'It was not restored, because something that it needs is missing.');
    } else if (exit.code !== 3 || this.server.hasEnded() || LOST.test(said)) {
      checks.skipped('restore', `The throw-away server or its client ended in the middle. ${failure.message}`, evidence, took());
    } else {
      checks.failed('restore', failure.message, evidence, took());
    }
    checks.passed('requirements', 'Roles and extensions of the dump are there.', this.requirements, 0);
    checks.skipRest(AFTER_RESTORE, 'It cannot be judged: the restore did not come to its end.');
  }
}

function startServer({ request }: VerificationContext, { facts, link }: OpenBackup): Promise<ThrowawayServer> {
  const { engine, verificationId, tools, search, workDirs, isolations, signal, onSpawn } = request;
  return engine.startThrowaway({
    verificationId,
    serverVersion: facts.serverVersion ?? link.manifest.serverVersion,
    dumpBytes: link.manifest.dumpBytes,
    facts,
    tools,
    search,
    workDirs: workDirs ?? THROWAWAY_WORK_DIRS,
    isolations: isolations ?? safeIsolations(),
    signal,
    ...(onSpawn ? { onSpawn } : {}),
  });
}
