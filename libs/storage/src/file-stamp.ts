import type { Stats } from 'node:fs';

/**
 * What changes when a file is written to, replaced or linked anew, even by somebody who sets its times back: its change time cannot be set. Disk
 * rot under an untouched file leaves it as it is.
 */
export const fileStamp = ({ ino, mtimeMs, ctimeMs }: Pick<Stats, 'ino' | 'mtimeMs' | 'ctimeMs'>): string =>
  `${ino}-${mtimeMs}-${ctimeMs}`;
