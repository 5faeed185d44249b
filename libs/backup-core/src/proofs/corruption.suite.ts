import { AppError, type ErrorCode } from '@rahatback/contracts';
import { canonicalJson, segmentStart, type KeysFile } from '@rahatback/crypto';
import type { FolderSource } from '@rahatback/storage/agent';
import { shimTools, startPostgres, type PrivatePostgres, type SeededRandom } from '@rahatback/testing';
import { createHash, randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { BackupHarness } from '../backup-harness.suite.js';
import type { Manifest } from '../manifest/manifest.js';
import { openBackup, openLink, type OpenLink } from '../restore/open-backup.js';
import { decryptTo } from '../restore/read-dump.js';
import type { ObjectRecord } from '../volumes/encrypted-object.js';
import { AlteredSource, type Alteration, type Piece } from './altered-source.suite.js';
import { rearrangements, storedSegment } from './rearrangements.suite.js';

const MEBIBYTE = 1024 * 1024;
const TAG_BYTES = 16;
const HEADER_BYTES = 40;
const SMALL_OBJECTS = ['manifest.json', 'keys-1.json'] as const;
const REFUSALS: Readonly<Record<(typeof SMALL_OBJECTS)[number], readonly ErrorCode[]>> = {
  'manifest.json': ['MANIFEST_INVALID', 'FORMAT_UNSUPPORTED'],
  'keys-1.json': ['KEYS_INVALID', 'FORMAT_UNSUPPORTED'],
};

/** `named`: refused, with the right object (and segment, where there is one). `harmless`: what was read is exactly what was signed. */
export interface Tally {
  readonly tried: number;
  readonly named: number;
  readonly harmless: number;
  readonly codes: Readonly<Record<string, number>>;
  /** The first of those that were neither. */
  readonly missed: readonly string[];
}

class Counter {
  tried = 0;
  named = 0;
  harmless = 0;
  readonly codes: Record<string, number> = {};
  readonly missed: string[] = [];

  miss(what: string): void {
    if (this.missed.length < 20) this.missed.push(what);
  }

  /** Counts `error` as named when it is one of `codes` and its details have all of `details`. */
  judge(what: string, error: unknown, expected: { codes: readonly ErrorCode[]; details: Record<string, unknown> }): void {
    this.tried += 1;
    const named =
      error instanceof AppError &&
      expected.codes.includes(error.code) &&
      Object.entries(expected.details).every(([name, value]) => error.details?.[name] === value);
    if (!named) {
      const seen =
        error instanceof AppError ? JSON.stringify(error.toBody()) : error === null ? 'no error' : (error as Error).stack;
      this.miss(`${what}: ${seen ?? 'no stack'}`);
      return;
    }
    this.named += 1;
    this.codes[error.code] = (this.codes[error.code] ?? 0) + 1;
  }

  tally(): Tally {
    const { tried, named, harmless, codes, missed } = this;
    return { tried, named, harmless, codes, missed };
  }
}

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => error ?? new Error('rejected with nothing'),
  );

/** Another value for one byte: one bit of it, or any. */
const altered = (byte: number, random: SeededRandom): number =>
  byte ^ (random.int(2) === 0 ? 1 << random.int(8) : 1 + random.int(255));

/** One stored backup whose dump does not compress, in several volumes; and everything that can be done to it. */
export class StoredBackup {
  private constructor(
    readonly server: PrivatePostgres,
    readonly harness: BackupHarness,
    readonly manifest: Manifest,
    readonly dumpSha256: string,
    private readonly link: OpenLink,
    private readonly source: FolderSource,
  ) {}

  static async start(dumpMebibytes: number, volumeMebibytes: number): Promise<StoredBackup> {
    const server = await startPostgres();
    const harness = await BackupHarness.start(server);
    const database = await server.createDatabase();
    const file = join(harness.folder.path, 'dump.sql');
    const dumpSha256 = await writeDump(file, dumpMebibytes);
    const { binDir } = await shimTools(join(harness.folder.path, 'shim'), {
      pg_dump: { version: '15.20', calls: [{ source: { file } }] },
      psql: {},
    });
    const tools = [{ major: server.major, version: '15.20', folder: binDir, warning: null }];
    const limits = { volumeMaxPlainBytes: volumeMebibytes * MEBIBYTE };
    const { manifest } = await harness.backUp(database, { tools, limits }, 'none');
    const { link } = await harness.open(manifest.backupId);
    return new StoredBackup(server, harness, manifest, dumpSha256, link, harness.source(manifest.backupId));
  }

  async stop(): Promise<void> {
    await this.harness.stop();
    await this.server.stop();
  }

  get storedBytes(): number {
    return this.manifest.volumes.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  }

  /** `count` changed bytes, spread evenly over the stored bytes of all volumes; each is read through the reader of a restore. */
  async flipVolumes(count: number, random: SeededRandom): Promise<Tally> {
    const counter = new Counter();
    const bySegment = new Map<string, { volume: number; segment: number; offsets: number[] }>();
    for (let number = 0; number < count; number += 1) {
      let at = Math.floor(random.next() * this.storedBytes);
      const volume = this.manifest.volumes.findIndex(({ storedBytes }) => at < storedBytes || ((at -= storedBytes), false));
      const segment = Math.floor(at / MEBIBYTE);
      const key = `${volume}/${segment}`;
      const group = bySegment.get(key) ?? { volume: volume + 1, segment, offsets: [] };
      group.offsets.push(at - segment * MEBIBYTE);
      bySegment.set(key, group);
    }
    for (const { volume, segment, offsets } of bySegment.values()) {
      await this.flipSegment({ volume, segment }, offsets, random, counter);
    }
    return counter.tally();
  }

  /** Every bit of the 40 bytes at the head and the 16 at the end of each volume and of the index, and `count` bytes anywhere in the index. */
  async flipEdges(count: number, random: SeededRandom): Promise<Tally> {
    const counter = new Counter();
    for (const [position, { storedBytes, segments }] of this.objects().entries()) {
      const head = Array.from({ length: 40 }, (_, offset) => offset);
      const last = storedBytes - (segments - 1) * MEBIBYTE;
      const tag = Array.from({ length: TAG_BYTES }, (_, offset) => last - TAG_BYTES + offset);
      for (let bit = 0; bit < 8; bit += 1) {
        await this.flipSegment({ volume: position, segment: 0 }, head, { bit }, counter);
        await this.flipSegment({ volume: position, segment: segments - 1 }, tag, { bit }, counter);
      }
    }
    const { storedBytes } = this.manifest.index;
    const inIndex = Array.from({ length: count }, () => Math.floor(random.next() * Math.min(storedBytes, MEBIBYTE)));
    await this.flipSegment({ volume: 0, segment: 0 }, inIndex, random, counter);
    return counter.tally();
  }

  /** Number 0 is the index, as for a reader. */
  private objects(): readonly ObjectRecord[] {
    return [this.manifest.index, ...this.manifest.volumes];
  }

  private record(volume: number): ObjectRecord {
    const record = this.objects()[volume];
    if (!record) throw new Error(`There is no volume ${volume}.`);
    return record;
  }

  /** Changes bytes of one stored segment (offsets count from its start, the header's 40 bytes included), one at a time. */
  private async flipSegment(
    place: { volume: number; segment: number },
    offsets: readonly number[],
    how: SeededRandom | { readonly bit: number },
    counter: Counter,
  ): Promise<void> {
    const { volume, segment } = place;
    const record = this.record(volume);
    const { start, end } = storedSegment(record, segment);
    const bytes = await this.stored(record.name, start, end);
    // Only header and segment are asked for: both come out of memory.
    const head = segment === 0 ? [] : [{ bytes: await this.stored(record.name, 0, HEADER_BYTES) }, skipped(record, start)];
    const inMemory: Alteration = { pieces: [...head, { bytes }], sizeBytes: record.storedBytes };
    const read = (): Promise<unknown> => errorOf(this.readSegment(volume, segment, { [record.name]: inMemory }));
    for (const offset of offsets) {
      const good = bytes[offset] ?? 0;
      bytes[offset] = 'bit' in how ? good ^ (1 << how.bit) : altered(good, how);
      const details = { backupId: this.manifest.backupId, object: record.name, segment };
      counter.judge(`${record.name} byte ${start + offset}`, await read(), { codes: ['DATA_CORRUPT'], details });
      bytes[offset] = good;
    }
    // The bytes as they were: it is the change that was refused.
    const control = await read();
    if (control !== null)
      counter.miss(`${record.name} segment ${segment} does not read unchanged: ${String((control as Error).message)}`);
  }

  /** Reads the first plaintext byte of a segment, as a restore would. */
  private async readSegment(volume: number, segment: number, alterations: Readonly<Record<string, Alteration>>): Promise<void> {
    const reader = this.link.via(() => new AlteredSource(this.source, alterations)).reader(volume);
    try {
      await reader.read(segment === 0 ? 0 : segmentStart(segment) - segment * TAG_BYTES - segmentStart(0), 1);
    } finally {
      reader.close();
    }
  }

  private async stored(object: string, start: number, end: number): Promise<Buffer> {
    const file = await open(join(this.harness.folderOf(this.manifest.backupId), object));
    try {
      const bytes = Buffer.alloc(end - start);
      await file.read(bytes, 0, bytes.length, start);
      return bytes;
    } finally {
      await file.close();
    }
  }

  /** Every segment of every volume: swapped with the next, dropped, repeated, appended, cut off at, and taken from another volume. */
  async rearrange(): Promise<Tally> {
    const counter = new Counter();
    for (const [index, record] of this.manifest.volumes.entries()) {
      const other = this.manifest.volumes[(index + 1) % this.manifest.volumes.length] ?? record;
      for (const { name, alteration, segment, readAt, code } of rearrangements(record, other)) {
        const error = await errorOf(this.readSegment(index + 1, readAt, { [record.name]: alteration }));
        const details = { backupId: this.manifest.backupId, object: record.name, segment };
        counter.judge(`${record.name}: ${name}`, error, { codes: [code], details });
      }
    }
    return counter.tally();
  }

  /** Every bit of manifest and keys file (or a sample of `most`), and every blank of theirs made another blank. */
  async flipSmallObjects(random: SeededRandom, most = Number.POSITIVE_INFINITY): Promise<Record<string, Tally>> {
    const tallies: Record<string, Tally> = {};
    for (const object of SMALL_OBJECTS) {
      const good = await readFile(join(this.harness.folderOf(this.manifest.backupId), object));
      const bits = Array.from({ length: good.length * 8 }, (_, bit) => ({
        at: bit >> 3,
        value: (good[bit >> 3] ?? 0) ^ (1 << (bit & 7)),
      }));
      const blanks = [...good.entries()].flatMap(([at, byte]) =>
        BLANKS.includes(byte) ? BLANKS.filter((value) => value !== byte).map((value) => ({ at, value })) : [],
      );
      const chosen = bits.length <= most ? bits : random.sample(bits, most);
      tallies[object] = await this.flipSmall(object, good, [...chosen, ...blanks]);
    }
    return tallies;
  }

  private async flipSmall(
    object: (typeof SMALL_OBJECTS)[number],
    good: Buffer,
    changes: readonly { readonly at: number; readonly value: number }[],
  ): Promise<Tally> {
    const counter = new Counter();
    const { backupId } = this.manifest;
    const signed = canonicalJson(JSON.parse(good.toString('utf8')) as object);
    const bytes = Buffer.from(good);
    const source = new AlteredSource(this.source, { [object]: { pieces: [{ bytes }] } });
    for (const { at, value } of changes) {
      bytes[at] = value;
      let opened: Manifest | KeysFile | null = null;
      const toOpen = this.harness.toOpen(backupId);
      const unlock = (keys: KeysFile): Promise<Buffer> => {
        if (object === 'keys-1.json') opened = keys;
        return toOpen.unlock(keys);
      };
      const error = await errorOf(
        openLink({ ...toOpen, source, unlock }).then((link) => {
          if (object === 'manifest.json') opened = link.manifest;
        }),
      );
      const same = error === null && opened !== null && canonicalJson(opened).equals(signed);
      if (same) {
        counter.tried += 1;
        counter.harmless += 1;
      } else counter.judge(`${object} byte ${at} = ${value}`, error, { codes: REFUSALS[object], details: { backupId, object } });
      bytes[at] = good[at] ?? 0;
    }
    return counter.tally();
  }

  /** Decrypts the whole of altered copies: none may end as if it were whole. */
  async decryptAltered(count: number, random: SeededRandom): Promise<Tally> {
    const counter = new Counter();
    for (let number = 0; number < count; number += 1) {
      const index = random.int(this.manifest.volumes.length);
      const record = this.record(index + 1);
      const all = [...rearrangements(record, this.record(((index + 1) % this.manifest.volumes.length) + 1))];
      const segment = random.int(record.segments);
      const change = number % 2 === 0 ? await this.flipped(record, segment, random) : random.pick(all);
      const { ended, error } = await this.decrypt({ [record.name]: change.alteration });
      if (ended) counter.miss(`${record.name}: ${change.name} ended as a whole dump`);
      const details = { backupId: this.manifest.backupId, object: record.name, segment: change.firstHarmed };
      counter.judge(`whole read of ${record.name}: ${change.name}`, error, { codes: [change.code], details });
    }
    return counter.tally();
  }

  private async flipped(record: ObjectRecord, segment: number, random: SeededRandom) {
    const { start, end } = storedSegment(record, segment);
    const at = start + random.int(end - start);
    const [byte = 0] = await this.stored(record.name, at, at + 1);
    const pieces = [
      { object: record.name, start: 0, end: at },
      { bytes: Buffer.from([altered(byte, random)]) },
      { object: record.name, start: at + 1, end: record.storedBytes },
    ];
    return { name: `byte ${at}`, alteration: { pieces }, firstHarmed: segment, code: 'DATA_CORRUPT' as const };
  }

  /** `ended`: the reader was told that the dump is whole. */
  async decrypt(alterations: Readonly<Record<string, Alteration>>): Promise<{ ended: boolean; error: unknown; sha256: string }> {
    const hash = createHash('sha256');
    let ended = false;
    const target = new Writable({
      write(bytes: Buffer, _encoding, done) {
        hash.update(bytes);
        done();
      },
      final(done) {
        ended = true;
        done();
      },
    });
    const source = new AlteredSource(this.source, alterations);
    const toOpen = { ...this.harness.toOpen(this.manifest.backupId), source };
    const error = await errorOf(openBackup(toOpen).then((backup) => decryptTo(backup, target)));
    return { ended, error, sha256: hash.digest('hex') };
  }
}

const skipped = ({ name }: ObjectRecord, end: number): Piece => ({ object: name, start: HEADER_BYTES, end });

const BLANKS: readonly number[] = [0x20, 0x0a, 0x0d, 0x09];

/** A plain dump of one table of random text, of so many MiB or a little more. Answers its SHA-256, hex. */
async function writeDump(path: string, mebibytes: number): Promise<string> {
  const file = await open(path, 'wx', 0o644);
  const hash = createHash('sha256');
  const write = async (bytes: Buffer): Promise<void> => {
    hash.update(bytes);
    await file.writeFile(bytes);
  };
  try {
    await write(Buffer.from(`SET client_encoding = 'UTF8';\n\nCOPY "public"."random" ("id", "note") FROM stdin;\n`));
    for (let number = 0; number < mebibytes; number += 1) {
      const rows = Array.from({ length: 16 }, (_, row) => `${number * 16 + row}\t${randomBytes(49_152).toString('base64')}\n`);
      await write(Buffer.from(rows.join(''), 'latin1'));
    }
    await write(Buffer.from('\\.\n\n\n--\n-- PostgreSQL database dump complete\n--\n\n'));
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}
