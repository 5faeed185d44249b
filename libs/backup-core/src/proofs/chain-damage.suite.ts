import { AppError } from '@rahatback/contracts';
import type { SeededRandom } from '@rahatback/testing';
import { backupIdOf, type ChainOfPoints, type Point } from './chain-points.suite.js';
import { stateOf } from './changing-database.suite.js';

const SEGMENT_BYTES = 1_048_576;

/** One object of one link, gone or with one byte changed. */
export interface Damage {
  readonly backupId: string;
  readonly object: string;
  readonly how: 'deleted' | 'corrupted';
}

export interface DamageReport {
  destroyed: number;
  /** Backup and object were in the error of the link itself and of every point that needs the object. */
  named: number;
  /** Points that do not need what was destroyed, and those of them whose dump was still read whole. */
  independent: number;
  whole: number;
  /** Points that need it, and those of them that were refused. */
  dependent: number;
  refused: number;
  /** Damages that the next backup saw, so that it was to be a full. */
  fullInstead: number;
  readonly wrong: string[];
}

export function damagesOf({ points }: ChainOfPoints): Damage[] {
  return points.flatMap(({ manifest }) => {
    const objects = [...manifest.volumes.map(({ name }) => name), 'index', 'keys-1.json', 'manifest.json'];
    return objects.flatMap((object) =>
      (['deleted', 'corrupted'] as const).map((how) => ({ backupId: manifest.backupId, object, how })),
    );
  });
}

const isVolume = (object: string): boolean => object.startsWith('data-');

/** Does each damage in turn, reads every point, asks what the next backup would do, and puts the object back. */
export class ChainDamage {
  readonly report: DamageReport = {
    destroyed: 0,
    named: 0,
    independent: 0,
    whole: 0,
    dependent: 0,
    refused: 0,
    fullInstead: 0,
    wrong: [],
  };

  constructor(
    private readonly chain: ChainOfPoints,
    private readonly random: SeededRandom,
  ) {}

  async run(damage: Damage): Promise<void> {
    await this.during(damage, async (segment) => {
      const before = this.report.wrong.length;
      for (const point of this.chain.points) await this.readPoint(point, damage, segment);
      await this.askNextBackup(damage);
      this.report.destroyed += 1;
      if (this.report.wrong.length === before) this.report.named += 1;
    });
  }

  /** `work` is told which segment is not as it was; -1 for all of them. */
  async during<T>({ backupId, object, how }: Damage, work: (segment: number) => Promise<T>): Promise<T> {
    const key = `${backupId}/${object}`;
    const good = this.chain.objects.get(key);
    if (!good) throw new Error(`There is no ${key}.`);
    const at = this.offsetIn(good, isVolume(object));
    try {
      if (how === 'deleted') this.chain.objects.delete(key);
      else this.chain.objects.set(key, changedAt(good, at));
      return await work(how === 'deleted' || !isVolume(object) ? -1 : Math.floor(at / SEGMENT_BYTES));
    } finally {
      this.chain.objects.set(key, good);
    }
  }

  /** Never in the head of a volume, which belongs to all of its segments, nor in a blank of JSON, which means nothing. */
  private offsetIn(good: Buffer, volume: boolean): number {
    for (;;) {
      const at = volume ? 40 + this.random.int(good.length - 40) : this.random.int(good.length);
      const byte = good[at] ?? 0x20;
      if (volume || (byte !== 0x20 && byte !== 0x0a)) return at;
    }
  }

  /** Whether the dump of this point cannot be read without the object, by its index and by what each kind of object is for. */
  needs(point: Point, { backupId, object }: Damage, segment: number): boolean {
    if (object === 'index' || object === 'keys-1.json') return backupIdOf(point) === backupId;
    const prefix =
      object === 'manifest.json' ? `${backupId}/` : segment < 0 ? `${backupId}/${object}/` : `${backupId}/${object}/${segment}`;
    const pointsInto = [...point.segments].some((place) => (segment < 0 ? place.startsWith(prefix) : place === prefix));
    return pointsInto || (object === 'manifest.json' && backupIdOf(point) === backupId);
  }

  private async readPoint(point: Point, damage: Damage, segment: number): Promise<void> {
    const { report } = this;
    const needed = this.needs(point, damage, segment);
    const what = `${damage.object} of ${damage.backupId} ${damage.how}, reading ${backupIdOf(point)}`;
    if (needed) report.dependent += 1;
    else report.independent += 1;
    try {
      const sha256 = await this.chain.dumpSha256(backupIdOf(point));
      if (needed) report.wrong.push(`${what}: was read`);
      else if (sha256 !== point.dumpSha256) report.wrong.push(`${what}: another dump`);
      else report.whole += 1;
    } catch (error) {
      if (!needed) report.wrong.push(`${what}: ${String((error as Error).message)}`);
      else if (!names(error, damage)) report.wrong.push(`${what}: does not name it: ${String((error as Error).message)}`);
      else report.refused += 1;
    }
  }

  private async askNextBackup(damage: Damage): Promise<void> {
    const { report } = this;
    const { base, trouble } = await this.chain.usableBase();
    const what = `the next backup after ${damage.object} of ${damage.backupId} was ${damage.how}`;
    if (base !== null || !names(trouble, damage)) report.wrong.push(`${what}: ${trouble?.message ?? 'builds on it'}`);
    else report.fullInstead += 1;
  }

  /**
   * With real restores: the next backup is a full in a chain of its own and restores to what the database holds; a point that needs the object is
   * refused without a database left; one that does not is restored equal.
   */
  async restoreAround(damage: Damage, name: string): Promise<{ fulls: number; refused: number; restored: number }> {
    const { chain } = this;
    return this.during(damage, async (segment) => {
      const { base } = await chain.usableBase();
      if (base !== null) throw new Error('the chain is built on');
      const { manifest } = await chain.backUp('incremental', base);
      if (manifest.type !== 'full' || chain.points.some((point) => point.manifest.chain.id === manifest.chain.id)) {
        throw new Error('the next backup is no full in a chain of its own');
      }
      await chain.harness.restore(manifest.backupId, `${name}_next`);
      await this.assertEqual(`${name}_next`, await stateOf(chain.harness, chain.database.name));
      const needing = chain.points.filter((point) => this.needs(point, damage, segment));
      const others = chain.points.filter((point) => !this.needs(point, damage, segment));
      let refused = 0;
      let restored = 0;
      for (const point of needing.slice(-1)) {
        const error = await this.restore(point, `${name}_never`).then(
          () => null,
          (reason: unknown) => reason,
        );
        const left = (await chain.harness.databases()).filter((database) => /_never|rahatback/.test(database));
        if (!names(error, damage) || left.length > 0)
          throw new Error(`restored, or left ${left.join(', ')}: ${error === null ? '' : (error as Error).message}`);
        refused += 1;
      }
      for (const point of others.slice(-1)) {
        await this.restore(point, `${name}_other`);
        await this.assertEqual(`${name}_other`, point.state);
        restored += 1;
      }
      return { fulls: 1, refused, restored };
    });
  }

  private async restore(point: Point, target: string): Promise<void> {
    const backup = await this.chain.open(backupIdOf(point));
    await this.chain.harness.restore(backupIdOf(point), target, { backup });
  }

  private async assertEqual(database: string, state: object): Promise<void> {
    expect(await stateOf(this.chain.harness, database)).toEqual(state);
    await this.chain.harness.query('postgres', `DROP DATABASE ${database}`);
  }
}

const names = (error: unknown, { backupId, object }: Damage): boolean =>
  error instanceof AppError &&
  error.details?.backupId === backupId &&
  error.details.object === object &&
  error.message.includes(backupId) &&
  error.message.includes(object);

function changedAt(good: Buffer, at: number): Buffer {
  const bytes = Buffer.from(good);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}
