import { AppError } from '@rahatback/contracts';

/** PostgreSQL cuts names longer than this without a word, so two different names could mean one database. */
export const MAX_NAME_BYTES = 63;

const cutToBytes = (text: string, maxBytes: number): string => {
  let cut = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    cut += character;
  }
  return cut;
};

const two = (value: number): string => String(value).padStart(2, '0');

const stamp = (at: Date): string =>
  `${at.getUTCFullYear()}${two(at.getUTCMonth() + 1)}${two(at.getUTCDate())}` +
  `${two(at.getUTCHours())}${two(at.getUTCMinutes())}${two(at.getUTCSeconds())}`;

/** `<database>_restored_<yyyymmddhhmmss>` in UTC; a long database name is cut between characters, never its time. */
export const defaultTarget = (database: string, at: Date): string => {
  const suffix = `_restored_${stamp(at)}`;
  return cutToBytes(database, MAX_NAME_BYTES - suffix.length) + suffix;
};

/** Throws RESTORE_TARGET_LIVE for the database that was backed up, VALIDATION for a name that PostgreSQL would cut. */
export const checkTarget = (target: string, liveDatabase: string): void => {
  if (Buffer.byteLength(target) > MAX_NAME_BYTES) {
    throw new AppError('VALIDATION', `The target name may have at most ${MAX_NAME_BYTES} bytes. Choose a shorter one.`, {
      fields: { targetDatabase: [`must be at most ${MAX_NAME_BYTES} bytes`] },
    });
  }
  if (target === liveDatabase) {
    throw new AppError(
      'RESTORE_TARGET_LIVE',
      `"${target}" is the live database. A restore never writes into it: leave the target out, or name a database that does not exist.`,
    );
  }
};
