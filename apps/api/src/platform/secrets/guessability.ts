/** What people reach for when they choose a secret, and how to see it: for passwords of people and for passphrases of jobs, which judge by it differently. */

/** Words that the well-known lists of leaked passwords are made of, Turkish ones among them; with digits and signs around, they stay guessable. */
export const COMMON_PASSWORDS: ReadonlySet<string> = new Set(
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

/** Pieces of passphrases that are worth nothing. */
export const COMMON_PIECES: readonly string[] = [
  'password',
  'passphrase',
  'parola',
  'sifre',
  'qwerty',
  'letmein',
  'welcome',
  'iloveyou',
  'admin',
  'backup',
  'rahatback',
  'changeme',
  'secret',
];

/** Signs that stand for letters. */
const LOOKALIKES: Readonly<Record<string, string>> = {
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

/** Letters in the place of the digits and signs that people put for them. */
export const unleet = (text: string): string => [...text].map((sign) => LOOKALIKES[sign] ?? sign).join('');

const reversed = (text: string): string => [...text].reverse().join('');

/** Rows of the keyboard, of digits and of the alphabet, which go on from their end: 7890123 is a run, too. */
const ROUND_ROWS = [
  '01234567890123456789',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiopasdfghjklzxcvbnm',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
];
/** Rows that passphrases are searched for, piece by piece. */
const PIECE_ROWS = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890123456789',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  '1q2w3e4r5t6y7u8i9o0p',
];
const SEQUENCES = ROUND_ROWS.flatMap((row) => [row.repeat(2), reversed(row.repeat(2))]);

/** Whether the whole of it is a run such as 1234567890, abcdefghij or a walk over the keyboard, also backwards. */
export const isSequence = (text: string): boolean => SEQUENCES.some((sequence) => sequence.includes(text));

/** A run of a keyboard row or of the alphabet, in either direction. */
const isRun = (text: string): boolean => PIECE_ROWS.some((row) => row.includes(text) || reversed(row).includes(text));

/** What is left when runs of four and more are taken out. */
export function withoutRuns(text: string): string {
  let left = '';
  for (let index = 0; index < text.length;) {
    let length = 1;
    while (index + length < text.length && isRun(text.slice(index, index + length + 1))) length += 1;
    if (length < 4) left += text.slice(index, index + length);
    index += length;
  }
  return left;
}
