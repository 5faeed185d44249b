import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const letters = (count: number): string =>
  randomBytes(count * 4)
    .toString('base64')
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .slice(0, count);

/** A new mark: upper and lower case and digits, and long enough never to be met by chance. */
export const newCanaryMark = (): string => `Cn4${letters(15)}`;

/** The folder of the watch over this whole test run (see CanaryRun); undefined outside of one. */
export const canaryFolder = (): string | undefined => process.env.RAHAT_CANARIES || undefined;

export const markFile = (folder: string): string => join(folder, 'mark');

const readMark = (): string => {
  const folder = canaryFolder();
  return folder === undefined ? newCanaryMark() : readFileSync(markFile(folder), 'utf8');
};

let own: string | undefined;

/** What every secret of this test run holds, so that one search finds all of them. */
export const canaryMark = (): string => (own ??= readMark());

/**
 * A secret for a test: a person's or a database's password, a passphrase, an S3 key. Passes every strength rule of ours, holds letters and digits
 * only, and bears the run's mark. The same kind gives the same secret within a run, unless it is asked to be fresh.
 */
export const testSecret = (kind: string, { fresh = false } = {}): string =>
  canaryMark() + (fresh ? letters(8) : kind.replaceAll(/[^A-Za-z0-9]/g, ''));
