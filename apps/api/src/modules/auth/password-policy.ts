import { AppError } from '@rahatback/contracts';

const MIN_LENGTH = 10;
const MIN_DIFFERENT = 5;

/** Words that the well-known lists of leaked passwords are made of, Turkish ones among them; with digits and signs around, they stay guessable. */
const COMMON = new Set(
  `password passw0rd parola sifre şifre qwerty qwertyuiop qwerty qazwsx qazwsxedc zxcvbn zxcvbnm asdfgh asdfghjkl asdf abcdef abcdefgh abcdefghij
  letmein welcome admin administrator root toor iloveyou monkey dragon sunshine princess football baseball superman batman master shadow michael
  trustno changeme change secret login user guest test testing tester default access hello freedom whatever starwars computer internet google
  facebook samsung charlie jordan jennifer hunter killer pokemon naruto minecraft liverpool chelsea arsenal barcelona galatasaray fenerbahce
  fenerbahçe besiktas beşiktaş trabzonspor istanbul ankara izmir turkiye türkiye ataturk atatürk mustafa kemal merhaba deneme askim aşkım
  seniseviyorum canim canım bebegim summer winter spring autumn january february march april june july august september october november december
  monday friday correcthorsebatterystaple rahatback rahat backup yedek postgres postgresql database veritabani server sunucu company sirket`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

const LEET: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
};
const letters = (text: string): string => text.replace(/[^\p{L}]/gu, '');
const unleet = (text: string): string => text.replace(/[013457@$!]/g, (sign) => LEET[sign] ?? sign);

const ROWS = [
  '01234567890123456789',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiopasdfghjklzxcvbnm',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
];
const SEQUENCES = ROWS.flatMap((row) => [row.repeat(2), [...row.repeat(2)].reverse().join('')]);

/** Runs such as 1234567890, abcdefghij or a walk over the keyboard, also backwards. */
const isSequence = (text: string): boolean => SEQUENCES.some((sequence) => sequence.includes(text));

const isRepeated = (text: string): boolean => /^(.{1,5})\1+$/su.test(text);

/** Turkish İ and ı fold to i, so that PAROLA, Şİfre and sıfre are found too. */
const fold = (text: string): string => text.normalize('NFKC').toLowerCase().replaceAll('i̇', 'i').replaceAll('ı', 'i');

function weakness(password: string, about: readonly string[]): string | undefined {
  const folded = fold(password);
  const cores = [letters(folded), letters(unleet(folded)), letters(unleet(folded.replace(/[\d\W_]+$/u, '')))];
  if ([...password].length < MIN_LENGTH) return `it has fewer than ${MIN_LENGTH} characters`;
  if (new Set(folded).size < MIN_DIFFERENT) return 'it has too few different characters';
  if (isSequence(folded) || isRepeated(folded)) return 'it is a sequence or a repetition';
  if (cores.some((core) => COMMON.has(core) || (isRepeated(core) && COMMON.has(/^(.+?)\1+$/su.exec(core)?.[1] ?? '')))) {
    return 'it is a common word with something around it';
  }
  const own = about.map(fold).filter((text) => text.length >= 4);
  if (own.some((text) => folded.includes(text) && folded.length - text.length <= 6))
    return 'it is your name or e-mail address with little around it';
  return undefined;
}

/**
 * Refuses what the first thousand guesses would find. `about`: the person's e-mail address and name. There is no rule about kinds of
 * characters: they make passwords worse.
 * @throws AppError PASSWORD_WEAK saying why; the password is in no message
 */
export function assertStrongPassword(password: string, about: { email: string; name: string }): void {
  const local = about.email.split('@', 1)[0] ?? '';
  const reason = weakness(password, [about.email, local, about.name, ...about.name.split(/\s+/)]);
  if (reason !== undefined) {
    throw new AppError(
      'PASSWORD_WEAK',
      `Choose another password: ${reason}. Three or four unrelated words are good and easy to keep.`,
    );
  }
}
