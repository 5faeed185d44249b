import { AppError, type BackupType } from '@rahatback/contracts';
import { startPostgres, type PrivatePostgres, type SeededRandom } from '@rahatback/testing';
import type { BackupSource, SourceRange, StoredObject } from '@rahatback/storage/agent';
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { BackupHarness } from '../backup-harness.suite.js';
import type { BackupResult } from '../backup/backup-request.js';
import { SeenObjects } from '../chain/seen-objects.js';
import { usableBase, type UsableBase } from '../chain/usable-base.js';
import type { Manifest } from '../manifest/manifest.js';
import { linkAt, openBackup, type BackupToOpen, type ChainToOpen, type OpenBackup } from '../restore/open-backup.js';
import { dumpBytes } from '../restore/read-dump.js';
import { ChangingDatabase, stateOf, type DatabaseState } from './changing-database.suite.js';

/** Small ones: the full has several. */
const VOLUME_BYTES = 300_000;
/** Plaintext bytes of a segment, the header counted as plaintext. */
const SEGMENT_PLAIN_BYTES = 1_048_560;
const HEADER_BYTES = 40;

/** One link of the chain, and the moment that it keeps. */
export interface Point {
  readonly manifest: Manifest;
  /** The live database when it was dumped. */
  readonly state: DatabaseState;
  readonly dumpSha256: string;
  /** `<backupId>/<volume object>/<segment>` of all that its own dump is read from. */
  readonly segments: ReadonlySet<string>;
  readonly changes: readonly string[];
}

export const backupIdOf = ({ manifest }: Point): string => manifest.backupId;

/** A chain of real backups of a database that changes; its objects are also kept in memory, where they can be destroyed. */
export class ChainOfPoints {
  readonly points: Point[] = [];
  /** By `<backupId>/<object>`. */
  readonly objects = new Map<string, Buffer>();
  private readonly chainId = randomUUID();
  /** What an agent would have seen by now: like one, the first look reads all. */
  private readonly seen: SeenObjects;

  private constructor(
    readonly server: PrivatePostgres,
    readonly harness: BackupHarness,
    readonly database: ChangingDatabase,
  ) {
    this.seen = new SeenObjects(join(harness.folder.path, 'seen-objects'));
  }

  static async start(random: SeededRandom): Promise<ChainOfPoints> {
    const server = await startPostgres();
    const harness = await BackupHarness.start(server);
    const database = new ChangingDatabase(harness, await server.createDatabase(), random);
    await database.fill();
    return new ChainOfPoints(server, harness, database);
  }

  async stop(): Promise<void> {
    await this.harness.stop();
    await this.server.stop();
  }

  /** Changes the database (not before the first) and adds a link. */
  async add(type: BackupType): Promise<void> {
    const changes = this.points.length === 0 ? [] : await this.database.change();
    let state = await stateOf(this.harness, this.database.name);
    // Changes may undo each other, or find nothing to change. A point must be unlike all others: one restored in place of another is seen then.
    while (this.points.some((point) => isDeepStrictEqual(point.state, state))) {
      changes.push(...(await this.database.change()));
      state = await stateOf(this.harness, this.database.name);
    }
    const { base } = await this.usableBase(type === 'differential' ? this.points.slice(0, 1) : this.points);
    const result = await this.backUp(type, base);
    const { manifest } = result;
    const folder = this.harness.folderOf(manifest.backupId);
    for (const name of await readdir(folder))
      this.objects.set(`${manifest.backupId}/${name}`, await readFile(join(folder, name)));
    const backup = await this.open(manifest.backupId);
    this.points.push({ manifest, state, dumpSha256: backup.end.sha256, segments: await segmentsOf(backup), changes });
  }

  /** One backup of the database as it is; without a base a full in a chain of its own. */
  backUp(type: BackupType, base: UsableBase['base']): Promise<BackupResult> {
    const chainId = base === null && this.points.length > 0 ? randomUUID() : this.chainId;
    const identity = this.harness.identity({ type: base === null ? 'full' : type, chainId });
    return this.harness.backUp(this.database.name, { identity, base, limits: { volumeMaxPlainBytes: VOLUME_BYTES } });
  }

  /** How the next link opens the chain, with the objects as they are in memory. */
  toOpen(backupId: string): BackupToOpen {
    return { ...this.harness.toOpen(backupId), source: new MemorySource(this.objects, backupId) };
  }

  /** What the next backup builds on, or why it cannot. */
  usableBase(points: readonly Point[] = this.points): Promise<UsableBase> {
    return usableBase(
      points.map((point) => this.toOpen(backupIdOf(point))),
      { seen: this.seen },
    );
  }

  open(backupId: string): Promise<OpenBackup> {
    const request: ChainToOpen = { ...this.toOpen(backupId), linkSource: (id) => new MemorySource(this.objects, id) };
    return openBackup(request);
  }

  /** SHA-256 of the dump, read whole. */
  async dumpSha256(backupId: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const bytes of dumpBytes(await this.open(backupId))) hash.update(bytes);
    return hash.digest('hex');
  }
}

class MemorySource implements BackupSource {
  constructor(
    private readonly objects: ReadonlyMap<string, Buffer>,
    private readonly backupId: string,
  ) {}

  /** Stamped as an S3 server does it. */
  async stat(object: string): Promise<StoredObject> {
    const bytes = this.bytes(object);
    return { sizeBytes: bytes.length, stamp: createHash('md5').update(bytes).digest('hex') };
  }

  async read(object: string, range?: SourceRange): Promise<Readable> {
    return Readable.from([this.bytes(object).subarray(range?.start ?? 0, range?.end)]);
  }

  private bytes(object: string): Buffer {
    const bytes = this.objects.get(`${this.backupId}/${object}`);
    if (bytes) return bytes;
    throw new AppError('OBJECT_MISSING', 'The object is not in the storage.');
  }
}

async function segmentsOf(backup: OpenBackup): Promise<Set<string>> {
  const segments = new Set<string>();
  for await (const line of backup.link.index()) {
    if (line.kind !== 'run') continue;
    const { backup: number, volume, offset, frameLength } = line.run.frame;
    const { manifest } = linkAt(backup, number);
    const first = Math.floor((offset + HEADER_BYTES) / SEGMENT_PLAIN_BYTES);
    const last = Math.floor((offset + frameLength - 1 + HEADER_BYTES) / SEGMENT_PLAIN_BYTES);
    for (let segment = first; segment <= last; segment += 1)
      segments.add(`${manifest.backupId}/${manifest.volumes[volume - 1]?.name ?? ''}/${segment}`);
  }
  return segments;
}
