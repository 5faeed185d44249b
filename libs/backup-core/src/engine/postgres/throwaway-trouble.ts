import type { RestoreTrouble } from '../throwaway-server.js';

const NO_ROOM =
  /No space left on device|could not (?:extend|write init) file|Disk quota exceeded|out of memory|could not resize shared memory/i;

/** Sentences of the server that say what the machine lacks, not what is wrong with the dump. */
const REQUIREMENTS: readonly RegExp[] = [
  /extension "[^"]+" (?:is not available|has no installation script|must be installed|must be loaded via)[^\n]*/,
  /could not open extension control file "[^"]+"/,
  /could not (?:access|load) (?:file|library) "[^"]+"/,
  /\S+ (?:must|can only) be loaded via "?shared_preload_libraries"?/,
  /could not open (?:dictionary|stop-word|synonym|thesaurus|affix) file "[^"]+"/,
  /role "[^"]+" does not exist/,
  /tablespace "[^"]+" does not exist/,
  /invalid value for parameter "default_table(?:space|_access_method)": "[^"]+"/,
  /language "[^"]+" does not exist/,
  /access method "[^"]+" does not exist/,
  /unrecognized configuration parameter "[^"]+\.[^"]+"/,
  /could not create locale "[^"]+"/,
  /invalid (?:LC_COLLATE |LC_CTYPE )?locale name:? ?(?:"[^"]+")?/,
  /could not open collator for locale "[^"]+"/,
  /ICU is not supported in this build/,
  /no security label providers have been loaded|security label provider "[^"]+" is not loaded/,
];

/** What the words of psql or the server mean for a verification. */
export function restoreTrouble(said: string): RestoreTrouble {
  if (NO_ROOM.test(said)) return { kind: 'no room' };
  // The first error is the cause; in one transaction there is no second one.
  const error = said.split('\n').find((line) => /\b(?:ERROR|FATAL):/.test(line)) ?? said;
  for (const pattern of REQUIREMENTS) {
    const what = pattern.exec(error)?.[0];
    if (what !== undefined) return { kind: 'requirement', what };
  }
  return { kind: 'sql' };
}
