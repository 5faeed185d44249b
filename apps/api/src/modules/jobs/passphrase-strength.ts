import { AppError } from '@rahatback/contracts';

const MIN_LENGTH = 12;
const MIN_DISTINCT = 5;
/** What people reach for first. Compared after letters were put for the usual digits and signs. */
const COMMON = [
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
const ROWS = ['abcdefghijklmnopqrstuvwxyz', '01234567890123456789', 'qwertyuiop', 'asdfghjkl', 'zxcvbnm', '1q2w3e4r5t6y7u8i9o0p'];
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
  ş: 's',
  ı: 'i',
};

const weak = (why: string): AppError =>
  new AppError(
    'PASSPHRASE_WEAK',
    `This passphrase is too weak: ${why}. Use four or more random words, or ${MIN_LENGTH} random characters.`,
  );

const reversed = (text: string): string => [...text].reverse().join('');

/** A run of a keyboard row or of the alphabet, in either direction. */
const isRun = (text: string): boolean => ROWS.some((row) => row.includes(text) || reversed(row).includes(text));

/** `abcabcabcabc` is one short thing said often. */
const isRepetition = (text: string): boolean => /^(.{1,6}?)\1+.{0,5}$/su.test(text);

/** What is left when runs of four and more are taken out. */
function withoutRuns(text: string): string {
  let left = '';
  for (let index = 0; index < text.length;) {
    let length = 1;
    while (index + length < text.length && isRun(text.slice(index, index + length + 1))) length += 1;
    if (length < 4) left += text.slice(index, index + length);
    index += length;
  }
  return left;
}

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
  const plain = [...withoutRuns(text)].map((character) => LOOKALIKES[character] ?? character).join('');
  const rest = COMMON.reduce((left, word) => left.replaceAll(word, ''), plain).replace(/[^\p{L}\p{N}]/gu, '');
  if (rest.length < 6) throw weak('it is little more than a common word or a row of keys');
}
