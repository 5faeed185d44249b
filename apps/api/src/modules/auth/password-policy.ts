import { AppError } from '@rahatback/contracts';
import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common';
import { COMMON_PASSWORDS, isSequence, unleet } from '../../platform/secrets/guessability.js';

const MIN_LENGTH = 12;
const MIN_DIFFERENT = 5;

/** Of zxcvbn's 0 to 4: fewer than 10^8 guesses are too few. */
const MIN_SCORE = 3;
/** What is judged of a password: judging takes longer than its length. */
const JUDGED_LENGTH = 100;

let judge: ZxcvbnFactory | undefined;

/** 49,000 leaked passwords and words, keyboard walks, dates and repetitions, with what the person is called. Loaded once, when first asked. */
const scoreOf = (password: string, about: readonly string[]): number => {
  judge ??= new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs });
  return judge.check(password.slice(0, JUDGED_LENGTH), [...about]).score;
};

const letters = (text: string): string => text.replace(/[^\p{L}]/gu, '');

const isRepeated = (text: string): boolean => /^(.{1,5})\1+$/su.test(text);

/** Turkish İ and ı fold to i, so that PAROLA, Şİfre and sıfre are found too. */
const fold = (text: string): string => text.normalize('NFKC').toLowerCase().replaceAll('i̇', 'i').replaceAll('ı', 'i');

function weakness(password: string, about: readonly string[]): string | undefined {
  const folded = fold(password);
  const cores = [letters(folded), letters(unleet(folded)), letters(unleet(folded.replace(/[\d\W_]+$/u, '')))];
  if ([...password].length < MIN_LENGTH) return `it has fewer than ${MIN_LENGTH} characters`;
  if (new Set(folded).size < MIN_DIFFERENT) return 'it has too few different characters';
  if (isSequence(folded) || isRepeated(folded)) return 'it is a sequence or a repetition';
  if (
    cores.some(
      (core) => COMMON_PASSWORDS.has(core) || (isRepeated(core) && COMMON_PASSWORDS.has(/^(.+?)\1+$/su.exec(core)?.[1] ?? '')),
    )
  ) {
    return 'it is a common word with something around it';
  }
  const own = about.map(fold).filter((text) => text.length >= 4);
  if (own.some((text) => folded.includes(text) && folded.length - text.length <= 6))
    return 'it is your name or e-mail address with little around it';
  if (scoreOf(password, about) < MIN_SCORE) return 'it is on lists of leaked passwords, or close to one that is';
  return undefined;
}

/**
 * Refuses what is found by few guesses, offline: nothing of it leaves the server (NIST SP 800-63B; ASVS 6.2). `about`: the person's e-mail address and name. There is no rule about kinds of
 * characters: they make passwords worse.
 * @throws AppError PASSWORD_WEAK saying why; the password is in no message
 */
export function assertStrongPassword(password: string, about: { email: string; name: string }): void {
  const local = about.email.split('@', 1)[0] ?? '';
  const reason = weakness(password, [
    about.email,
    local,
    about.name,
    about.name.replaceAll(/\s+/g, ''),
    ...about.name.split(/\s+/),
  ]);
  if (reason !== undefined) {
    throw new AppError(
      'PASSWORD_WEAK',
      `Choose another password: ${reason}. Three or four unrelated words are good and easy to keep.`,
    );
  }
}
