import { recordProofFact, seededRandom, seedFromEnv } from '@rahatback/testing';
import { StoredBackup, type Tally } from './corruption.suite.js';

const FLIPS = 100_000;
const WHOLE_READS = 24;
const GIBIBYTE = 1024 ** 3;

/** It takes some minutes of two idle cores; a busy machine may take much longer. */
const LIMIT_MS = 3_600_000;

/** `script/prove corruption` */
describe('a stored backup of more than 1 GiB', () => {
  let backup: StoredBackup;
  const seed = seedFromEnv('corruption');
  const random = seededRandom(seed);
  beforeAll(async () => {
    backup = await StoredBackup.start(1040, 300);
  }, LIMIT_MS);
  afterAll(() => backup.stop(), LIMIT_MS);

  const assertAll = (what: string, tally: Tally): void => {
    recordProofFact(what, tally);
    const { tried, named, harmless } = tally;
    process.stdout.write(`corruption: ${what}: ${tried} tried, ${named} detected and named, ${harmless} without effect\n`);
    expect(tally.missed).toEqual([]);
    expect(named + harmless).toBe(tried);
  };

  it(
    'is whole, and of that size',
    async () => {
      expect(backup.storedBytes).toBeGreaterThan(GIBIBYTE);
      const { ended, error, sha256 } = await backup.decrypt({});
      expect([ended, error, sha256]).toEqual([true, null, backup.dumpSha256]);
      const { volumes } = backup.manifest;
      const segments = volumes.reduce((sum, volume) => sum + volume.segments, 0);
      recordProofFact('backup', { storedBytes: backup.storedBytes, volumes: volumes.length, segments, seed });
      expect(volumes.length).toBeGreaterThan(2);
    },
    LIMIT_MS,
  );

  it(
    'gives away every changed byte of its volumes',
    async () => {
      const tally = await backup.flipVolumes(FLIPS, random);
      assertAll('changed bytes in volumes', tally);
      expect([tally.tried, tally.harmless]).toEqual([FLIPS, 0]);
    },
    LIMIT_MS,
  );

  it(
    'gives away every changed bit of headers and last tags, and changed bytes of the index',
    async () => {
      const tally = await backup.flipEdges(10_000, random);
      assertAll('changed bits of headers and tags, bytes of the index', tally);
      expect(tally.harmless).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    'gives away every changed bit of manifest and keys file, or reads exactly what was signed',
    async () => {
      for (const [object, tally] of Object.entries(await backup.flipSmallObjects(random))) {
        assertAll(`changed bits and blanks of ${object}`, tally);
        expect(tally.named).toBeGreaterThan(8_000);
      }
    },
    LIMIT_MS,
  );

  it(
    'gives away every segment that is swapped, dropped, repeated, appended, cut off or of another volume',
    async () => {
      const tally = await backup.rearrange();
      assertAll('rearranged segments', tally);
      expect(tally.harmless).toBe(0);
      expect(tally.tried).toBeGreaterThan(9 * 1024);
    },
    LIMIT_MS,
  );

  it(
    'never ends as a whole dump when it is not',
    async () => {
      const tally = await backup.decryptAltered(WHOLE_READS, random);
      assertAll('whole reads', tally);
      expect([tally.tried, tally.harmless]).toEqual([WHOLE_READS, 0]);
    },
    LIMIT_MS,
  );
});
