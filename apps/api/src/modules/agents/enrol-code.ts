import { createHash, randomBytes } from 'node:crypto';

/** Crockford's base 32: no letter that a person could take for a digit. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const GROUPS = 7;
const GROUP_LENGTH = 4;

const inGroups = (characters: string): string => (characters.match(new RegExp(`.{1,${GROUP_LENGTH}}`, 'g')) ?? []).join('-');

/** 140 random bits as `7K3M-…`, seven groups of four. */
export function newEnrolCode(): string {
  // 256 is a multiple of 32, so every letter is equally likely.
  const letters = [...randomBytes(GROUPS * GROUP_LENGTH)].map((byte) => ALPHABET.charAt(byte % ALPHABET.length));
  return inGroups(letters.join(''));
}

/** A code as a person typed it, as it was shown: case, spaces, hyphens and the letters O, I and L do not matter. */
export const canonicalEnrolCode = (typed: string): string =>
  inGroups(
    typed
      .toUpperCase()
      .replace(/[^0-9A-Z]/g, '')
      .replaceAll('O', '0')
      .replace(/[IL]/g, '1'),
  );

export const sha256Hex = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
