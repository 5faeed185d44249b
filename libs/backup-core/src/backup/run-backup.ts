import { AppError } from '@rahatback/contracts';
import { commitmentOf, createKeysFile, generateDek, serializeKeysFile } from '@rahatback/crypto';
import { createHash } from 'node:crypto';
import { endingError } from '../as-app-error.js';
import { crashPoint } from '../crash-point.js';
import type { DumpFacts } from '../dump/dump-facts.js';
import { withCaFile } from '../engine/ca-file.js';
import type { DatabaseAccess, ProbeResult } from '../engine/database-engine.js';
import { IndexWriter } from '../index/index-writer.js';
import { ENCRYPTION_SUITE, FORMAT_VERSION, type Manifest, type ManifestBody } from '../manifest/manifest.js';
import { serializeManifest, signAsAgent } from '../manifest/sign-manifest.js';
import { Progress } from '../progress.js';
import type { ObjectRecord } from '../volumes/encrypted-object.js';
import { keysObject, MANIFEST_OBJECT, type BackupContext } from '../volumes/object-context.js';
import { VolumeWriter } from '../volumes/volume-writer.js';
import type { BackupRequest, BackupResult } from './backup-request.js';
import { ChunkPacker } from './chunk-packer.js';
import { runDump, type DumpOutcome } from './dump-run.js';

interface Stored {
  readonly volumes: readonly ObjectRecord[];
  readonly index: ObjectRecord;
  readonly dump: DumpOutcome;
  readonly facts: DumpFacts;
}

/**
 * Makes one backup in one pass: dump → chunks → frames → encryption → sink, in constant memory; then index, keys and manifest, in this order. It
 * returns only when everything that "success" means is true: the tool exited with 0, the dump's end mark was seen, byte counts are equal at
 * every stage, the store confirmed every object, and the manifest is published. Anything else throws an AppError, with the dump's process
 * group ended and the sink aborted.
 */
export async function runBackup(request: BackupRequest): Promise<BackupResult> {
  try {
    request.signal.throwIfAborted();
    assertTypeFits(request);
    return await withCaFile(request.access, (access) => backUp(request, access));
  } catch (error) {
    await request.sink.abort().catch(() => undefined);
    throw endingError(error, request.signal, 'backup');
  }
}

function assertTypeFits({ identity, base }: BackupRequest): void {
  if ((identity.type === 'full') === (base === null)) return;
  throw new AppError('INTERNAL', `A ${identity.type} backup was asked for ${base ? 'with' : 'without'} a chain to point into.`);
}

async function backUp(request: BackupRequest, access: DatabaseAccess): Promise<BackupResult> {
  const { engine, base, sink, signal } = request;
  const startedAt = new Date().toISOString();
  const dek = base?.dek ?? generateDek();
  const context = contextOf(request);
  const volumes = new VolumeWriter(sink, dek, context, request.limits?.volumeMaxPlainBytes);
  const progress = new Progress(request, null, () => volumes.storedBytes);
  progress.begin('connect');
  const probe = await engine.probe(access, 'backup');
  const tools = engine.chooseTools(probe, request.tools);
  const tool = engine.toolName(tools);
  request.onStarted?.({ probe, tool });
  progress.expectedBytes = probe.databaseBytes;

  progress.begin('dump', tool);
  const index = new IndexWriter(sink, dek, context, base?.links ?? []);
  const packer = new ChunkPacker(volumes, index, request.compression, base?.chunks ?? null);
  const dump = await runDump({ request, access, tools, source: probe.traits }, packer, progress).finally(() => packer.close());
  const opening = index.begin();
  const opened = opening.catch(() => undefined);
  const records = await volumes.complete().finally(() => opened);
  await opening;

  progress.begin('index');
  const facts: DumpFacts = { ...dump.facts, database: probe.traits };
  await index.facts(facts);
  const { record, end } = await index.complete(dump.sha256);
  assertSameBytes(end.bytes, dump.bytes);
  crashPoint('backup.index.after');

  progress.begin('keys');
  await publishKeys(request, dek);
  crashPoint('backup.keys.after');

  signal.throwIfAborted();
  progress.begin('publish');
  const stored: Stored = { volumes: records, index: record, dump, facts };
  const manifest = signAsAgent(manifestBody(request, { dek, probe, tool, startedAt, stored }), request.keys.signingPrivateKey);
  const manifestBytes = serializeManifest(manifest);
  crashPoint('backup.manifest.before');
  await sink.publish(MANIFEST_OBJECT, manifestBytes);
  crashPoint('backup.manifest.after');
  return resultOf({ manifest, manifestBytes, stored, newChunks: packer.newChunks });
}

function assertSameBytes(packed: number, dumped: number): void {
  if (packed === dumped) return;
  throw new AppError('INTERNAL', `The dump had ${dumped} bytes and ${packed} were packed. Run the backup again and report this.`);
}

function contextOf({ identity, engine, compression }: BackupRequest): BackupContext {
  const { workspaceId, databaseId, backupId } = identity;
  return { workspaceId, databaseId, backupId, engine: engine.type, dumpFormat: engine.dumpFormat, compression };
}

async function publishKeys({ identity, keys, sink }: BackupRequest, dek: Buffer): Promise<void> {
  const { workspaceId: workspace, databaseId: database, backupId, chainId } = identity;
  const file = await createKeysFile({
    dek,
    context: { workspace, database, backupId, chainId },
    agents: keys.agents,
    ageRecipients: [keys.recoveryRecipient],
    ...(keys.passphrase ? { passphrase: keys.passphrase } : {}),
  });
  await sink.publish(keysObject(1), serializeKeysFile(file));
}

interface ManifestInput {
  readonly dek: Buffer;
  readonly probe: ProbeResult;
  readonly tool: string;
  readonly startedAt: string;
  readonly stored: Stored;
}

function manifestBody({ identity, engine, base, compression, writer }: BackupRequest, input: ManifestInput): ManifestBody {
  const { workspaceId, databaseId, backupId, fence, agentId, chainId, type } = identity;
  const { stored, probe, tool, startedAt } = input;
  return {
    format: FORMAT_VERSION,
    writer,
    backupId,
    workspaceId,
    databaseId,
    fence,
    agentId,
    engine: engine.type,
    dumpFormat: engine.dumpFormat,
    serverVersion: probe.serverVersion,
    tool,
    type,
    chain: { id: chainId, links: base?.links ?? [] },
    compression,
    suite: ENCRYPTION_SUITE,
    commitment: commitmentOf(input.dek, { workspace: workspaceId, database: databaseId, chainId }),
    volumes: stored.volumes,
    index: stored.index,
    dumpBytes: stored.dump.bytes,
    startedAt,
    completedAt: new Date().toISOString(),
  };
}

interface Published {
  readonly manifest: Manifest;
  readonly manifestBytes: Buffer;
  readonly stored: Stored;
  readonly newChunks: number;
}

const resultOf = ({ manifest, manifestBytes, stored, newChunks }: Published): BackupResult => ({
  manifest,
  manifestBytes,
  manifestSha256: createHash('sha256').update(manifestBytes).digest('hex'),
  facts: stored.facts,
  newChunks,
  logTail: stored.dump.logTail,
});
