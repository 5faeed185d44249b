import { once } from 'node:events';
import type { AfterRows, RoutedPart } from '../dump/parallel-router.js';
import type { ClientTools, DatabaseAccess, ParallelFeed } from '../engine/database-engine.js';
import { spawnTool, type RunningTool } from '../process/spawn-tool.js';
import type { Progress } from '../progress.js';
import { ToolEndedEarly, ToolFeeder } from './feed-tool.js';
import { midPoint } from './mid-point.js';
import { dumpBytes } from './read-dump.js';
import type { RestoreRequest } from './run-restore.js';

/** What waits for one session: above that the dump is not read on while no session has room. */
const MAX_WAITING_BYTES = 1024 * 1024;
const ROWS_END = Buffer.from('\\.\n');

interface Session {
  readonly tool: RunningTool;
  readonly feeder: ToolFeeder;
  hasCopy: boolean;
}

export interface ParallelTarget {
  readonly request: RestoreRequest;
  readonly access: DatabaseAccess;
  readonly tools: ClientTools;
  readonly sessions: number;
  readonly progress: Progress;
}

/** Several client tools on one database, each in a transaction of its own. Whoever fails must drop the database. */
class ParallelLoad {
  private readonly started: RunningTool[] = [];
  private definitions: Session | null = null;
  private rows: readonly Session[] = [];
  private objects: Session | null = null;
  private turn = 0;

  constructor(
    private readonly target: ParallelTarget,
    private readonly feed: ParallelFeed,
  ) {}

  errorTail(): string {
    return this.started.map((tool) => tool.errorTail()).find((tail) => tail !== '') ?? '';
  }

  async handle(part: RoutedPart): Promise<void> {
    switch (part.to) {
      case 'definitions':
        this.definitions ??= await this.open(false);
        return this.definitions.feeder.write(part.bytes);
      case 'objects':
        await this.beginData();
        this.objects ??= await this.open();
        return this.objects.feeder.write(part.bytes);
      case 'rows':
        await this.beginData();
        return this.giveRows(part);
      case 'rows-end':
        for (const session of this.rows) {
          if (session.hasCopy) session.tool.stdin.write(ROWS_END);
          session.hasCopy = false;
        }
    }
  }

  /** Ends the rows, then makes indexes and keys of all tables at once, then the rest. */
  async finish({ byTable, last }: AfterRows, weightOf: (table: string) => number): Promise<void> {
    await this.beginData();
    await this.end([...this.rows, ...(this.objects ? [this.objects] : [])]);
    const groups = [...byTable].sort(([left], [right]) => weightOf(right) - weightOf(left));
    const lanes = Array.from({ length: Math.min(this.target.sessions, groups.length) }, () => ({
      weight: 0,
      pieces: [] as Buffer[],
    }));
    for (const [table, pieces] of groups) {
      const lane = lanes.reduce((least, next) => (next.weight < least.weight ? next : least));
      lane.weight += weightOf(table) + 1;
      lane.pieces.push(...pieces);
    }
    await Promise.all(lanes.map(({ pieces }) => this.run(pieces)));
    await this.run(last);
  }

  /** Killed before stdin ends: psql would take that end for the end of the dump, and commit. */
  async kill(): Promise<void> {
    await Promise.all(this.started.map((tool) => tool.kill()));
  }

  private async open(withPreamble = true): Promise<Session> {
    const { request, access, tools } = this.target;
    const { engine, signal, onSpawn } = request;
    const secrets = access.password === null ? [] : [access.password];
    const tool = await spawnTool(engine.restoreCommand(access, tools), { signal, secrets, ...(onSpawn ? { onSpawn } : {}) });
    tool.stdout.resume();
    this.started.push(tool);
    const feeder = new ToolFeeder(tool);
    await feeder.write(this.feed.prelude);
    if (withPreamble) await feeder.write(this.feed.preamble());
    // Rows go past the feeder.
    await feeder.flush();
    return { tool, feeder, hasCopy: false };
  }

  private async beginData(): Promise<void> {
    if (this.rows.length > 0) return;
    if (this.definitions) await this.end([this.definitions]);
    this.rows = await Promise.all(Array.from({ length: this.target.sessions }, () => this.open()));
  }

  /** To the session with the least before it; waits while none has room. */
  private async giveRows({ copy, bytes }: Extract<RoutedPart, { to: 'rows' }>): Promise<void> {
    let session = this.leastLoaded();
    while (session.tool.stdin.writableLength > MAX_WAITING_BYTES) {
      await this.someRoom();
      session = this.leastLoaded();
    }
    if (session.tool.stdin.destroyed) throw new ToolEndedEarly(await session.tool.exit);
    if (!session.hasCopy) session.tool.stdin.write(copy);
    session.hasCopy = true;
    session.tool.stdin.write(bytes);
  }

  /** Of those with equally little, the one whose turn it is. */
  private leastLoaded(): Session {
    this.turn = (this.turn + 1) % this.rows.length;
    const inTurn = [...this.rows.slice(this.turn), ...this.rows.slice(0, this.turn)];
    return inTurn.reduce((least, next) => (next.tool.stdin.writableLength < least.tool.stdin.writableLength ? next : least));
  }

  private async someRoom(): Promise<void> {
    const waiting = new AbortController();
    const drained = this.rows.map(({ tool }) => once(tool.stdin, 'drain', { signal: waiting.signal }).catch(() => undefined));
    const ended = this.rows.map(async ({ tool }) => {
      throw new ToolEndedEarly(await tool.exit);
    });
    try {
      await Promise.race([...drained, ...ended]);
    } finally {
      waiting.abort();
      for (const end of ended) end.catch(() => undefined);
    }
  }

  private async run(pieces: readonly Buffer[]): Promise<void> {
    if (pieces.length === 0) return;
    const session = await this.open();
    for (const piece of pieces) await session.feeder.write(piece);
    await this.end([session]);
  }

  private async end(sessions: readonly Session[]): Promise<void> {
    const exits = await Promise.all(sessions.map(({ feeder }) => feeder.finish()));
    const failed = exits.find(({ code }) => code !== 0);
    if (failed) throw new ToolEndedEarly(failed);
  }
}

/** Loads a whole dump by several sessions at once. The caller compares what came of it. @throws AppError RESTORE_FAILED and those of reading */
export async function loadParallel(target: ParallelTarget) {
  const { request, tools, progress } = target;
  const { engine, backup, signal } = request;
  const feed = engine.parallelFeed(tools);
  const load = new ParallelLoad(target, feed);
  request.onTool?.(() => load.errorTail());
  try {
    const passMid = midPoint();
    progress.startFlow();
    for await (const bytes of dumpBytes(backup)) {
      signal.throwIfAborted();
      for (const part of feed.push(bytes)) await load.handle(part);
      progress.add(bytes.length);
      passMid(progress.bytesRead);
    }
    const { rest, after, digests, facts } = feed.finish();
    for (const part of rest) await load.handle(part);
    const weights = new Map(facts.tables.map(({ schema, table, bytes }) => [engine.qualified(schema, table), bytes]));
    progress.begin('index', `${after.byTable.size} tables`);
    await load.finish(after, (table) => weights.get(table) ?? 0);
    signal.throwIfAborted();
    return { digests, facts, logTail: load.errorTail() };
  } catch (error) {
    await load.kill();
    signal.throwIfAborted();
    if (error instanceof ToolEndedEarly) throw engine.restoreFailure(error.exit, load.errorTail());
    throw error;
  }
}
