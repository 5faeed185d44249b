import { AppError } from '@rahatback/contracts';
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Chunker } from '../chunker/fastcdc.js';
import { crashPoint } from '../crash-point.js';
import type { DatabaseTraits, DumpFacts } from '../dump/dump-facts.js';
import type { ClientTools, DatabaseAccess } from '../engine/database-engine.js';
import { freeBuffer } from '../free-buffer.js';
import { spawnTool, type RunningTool, type ToolExit } from '../process/spawn-tool.js';
import type { Progress } from '../progress.js';
import type { BackupRequest } from './backup-request.js';
import type { ChunkPacker } from './chunk-packer.js';

const STALL_MS = 30 * 60_000;
/** How long a tool may live on once it has closed its output. */
const END_MS = 60_000;

export interface DumpOutcome {
  readonly facts: Omit<DumpFacts, 'database'>;
  readonly bytes: number;
  readonly sha256: string;
  readonly logTail: string;
}

/** Chunks of a stream; a wait of more than `stallMs` for the next one is an error. Time in which the consumer works does not count. */
async function* withoutStall(stream: Readable, stallMs: number): AsyncGenerator<Buffer> {
  const stalled = (): void => {
    const wait = stallMs < 120_000 ? `${Math.round(stallMs / 1_000)} seconds` : `${Math.round(stallMs / 60_000)} minutes`;
    stream.destroy(
      new AppError(
        'DUMP_STALLED',
        `The dump tool wrote nothing for ${wait}. Look for locks in the database and run the backup again.`,
      ),
    );
  };
  let timer = setTimeout(stalled, stallMs);
  try {
    for await (const bytes of stream) {
      clearTimeout(timer);
      yield bytes as Buffer;
      timer = setTimeout(stalled, stallMs);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** How the tool ended. Its output is closed: there is nothing more to wait for but its end. */
async function endOf(tool: RunningTool, limitMs: number): Promise<ToolExit> {
  const timer = new AbortController();
  const late = delay(limitMs, null, { signal: timer.signal }).catch(() => null);
  const exit = await Promise.race([tool.exit, late]);
  timer.abort();
  if (exit) return exit;
  throw new AppError(
    'DUMP_STALLED',
    `The dump tool closed its output and had not ended ${Math.round(limitMs / 1000)} s later. Run the backup again; if it hangs again, look at the tool.`,
  );
}

async function consume(tool: RunningTool, request: BackupRequest, packer: ChunkPacker, progress: Progress): Promise<DumpOutcome> {
  const inspector = request.engine.inspectDump();
  const chunker = new Chunker();
  const hash = createHash('sha256');
  const stallMs = request.limits?.stallMs ?? STALL_MS;
  for await (const bytes of withoutStall(tool.stdout, stallMs)) {
    if (progress.bytesRead === 0) {
      progress.startFlow();
      crashPoint('backup.dump.first_byte');
    }
    hash.update(bytes);
    inspector.push(bytes);
    for (const chunk of chunker.push(bytes)) {
      await packer.add(chunk);
      chunker.releaseBefore(packer.neededFrom);
    }
    progress.add(bytes.length);
    freeBuffer(bytes);
    request.signal.throwIfAborted();
  }
  crashPoint('backup.dump.end');
  const exit = await endOf(tool, Math.min(stallMs, END_MS));
  request.signal.throwIfAborted();
  if (exit.code !== 0) throw request.engine.dumpFailure(exit, tool.errorTail(), request.access);
  const facts = inspector.finish();
  for (const chunk of chunker.end()) await packer.add(chunk);
  await packer.end();
  return { facts, bytes: progress.bytesRead, sha256: hash.digest('hex'), logTail: tool.errorTail() };
}

export interface DumpRun {
  readonly request: BackupRequest;
  readonly access: DatabaseAccess;
  readonly tools: ClientTools;
  /** What the probe found. */
  readonly source: DatabaseTraits;
}

/**
 * Runs the dump tool to its end and packs what it writes. Returns only when the tool exited with 0 and the dump was whole; in every other
 * case no process is left when it throws.
 */
export async function runDump(
  { request, access, tools, source }: DumpRun,
  packer: ChunkPacker,
  progress: Progress,
): Promise<DumpOutcome> {
  const { engine, signal, onSpawn } = request;
  const secrets = access.password === null ? [] : [access.password];
  const tool = await spawnTool(engine.dumpCommand(access, tools, source), { signal, secrets, ...(onSpawn ? { onSpawn } : {}) });
  request.onTool?.(() => tool.errorTail());
  tool.stdin.end();
  try {
    return await consume(tool, request, packer, progress);
  } catch (error) {
    const alreadyEnded = await Promise.race([tool.exit, Promise.resolve(null)]);
    await tool.kill();
    // A tool that died explains a dump that broke off, not the other way round.
    if (alreadyEnded && alreadyEnded.code !== 0 && error instanceof AppError && error.code === 'DUMP_INCOMPLETE') {
      throw engine.dumpFailure(alreadyEnded, tool.errorTail(), access);
    }
    throw error;
  }
}
