import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Valid inputs that the product itself wrote, in base64; made again by fixtures.make-spec.ts when a format gets a new version. */
export interface Fixtures {
  /** Opens the `age` slots; worth nothing. */
  readonly recoveryIdentity: string;
  readonly plain: Readonly<Record<string, string>>;
  readonly stream: Readonly<Record<string, string>>;
  readonly keys: Readonly<Record<string, string>>;
  readonly manifest: Readonly<Record<string, string>>;
  readonly index: Readonly<Record<string, string>>;
  readonly frame: Readonly<Record<string, string>>;
  readonly envelope: Readonly<Record<string, string>>;
  readonly kit: Readonly<Record<string, string>>;
}

export const FIXTURES_FOLDER = join(__dirname, '../../fixtures');
export const CORPUS_FILE = join(FIXTURES_FOLDER, 'corpus.json');

export const readFixtures = (): Fixtures => JSON.parse(readFileSync(CORPUS_FILE, 'utf8')) as Fixtures;

/** The bytes of one kind, by name. */
export const bytesOf = (kind: Readonly<Record<string, string>>): readonly Buffer[] =>
  Object.values(kind).map((text) => Buffer.from(text, 'base64'));
