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

const named = (database: string, suffix: string): string => cutToBytes(database, MAX_NAME_BYTES - suffix.length) + suffix;

/** `<database>_restored_<yyyymmddhhmmss>` in UTC; a long database name is cut between characters, never its time. */
export const defaultTarget = (database: string, at: Date): string => named(database, `_restored_${stamp(at)}`);

/** Under which the old database is kept after a swap: `<live>_before_<yyyymmddhhmmss>`, cut in the same way. */
export const retiredName = (live: string, at: Date): string => named(live, `_before_${stamp(at)}`);

/** @throws AppError CONFIRMATION_MISMATCH naming what to type */
export const checkConfirmation = (typed: string | undefined, database: string): void => {
  if (typed === database) return;
  throw new AppError(
    'CONFIRMATION_MISMATCH',
    `Nothing was done. To confirm, type the name of the database exactly: ${JSON.stringify(database)} in confirmDatabase.`,
    { expected: database },
  );
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
