import { AppError } from '@rahatback/contracts';
import { COMMON_PIECES, unleet, withoutRuns } from '../../platform/secrets/guessability.js';

const MIN_LENGTH = 12;
const MIN_DISTINCT = 5;

const weak = (why: string): AppError =>
  new AppError(
    'PASSPHRASE_WEAK',
    `This passphrase is too weak: ${why}. Use four or more random words, or ${MIN_LENGTH} random characters.`,
  );

/** `abcabcabcabc` is one short thing said often. */
const isRepetition = (text: string): boolean => /^(.{1,6}?)\1+.{0,5}$/su.test(text);

/**
 * Refuses what an attacker who holds the backup tries first; a slow key derivation does the rest.
 * @throws AppError PASSPHRASE_WEAK with the reason, never with the passphrase
 */
export function assertStrongPassphrase(passphrase: string): void {
  const text = passphrase.normalize('NFC').toLowerCase();
  const characters = [...text];
  if (characters.length < MIN_LENGTH) throw weak(`it has fewer than ${MIN_LENGTH} characters`);
  if (new Set(characters).size < MIN_DISTINCT) throw weak(`it uses fewer than ${MIN_DISTINCT} different characters`);
  if (isRepetition(text)) throw weak('it repeats itself');
  // What remains besides rows of keys and common words must be worth guessing by itself.
  const plain = unleet(withoutRuns(text)).replaceAll('ş', 's').replaceAll('ı', 'i');
  const rest = COMMON_PIECES.reduce((left, word) => left.replaceAll(word, ''), plain).replace(/[^\p{L}\p{N}]/gu, '');
  if (rest.length < 6) throw weak('it is little more than a common word or a row of keys');
}
