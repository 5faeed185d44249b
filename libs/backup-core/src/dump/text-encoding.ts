import { TextDecoder } from 'node:util';

/** PostgreSQL's names of encodings whose WHATWG name is not the same without the prefix. */
const LABELS: Readonly<Record<string, string>> = {
  UTF8: 'utf-8',
  SQL_ASCII: 'utf-8',
  LATIN2: 'iso-8859-2',
  LATIN3: 'iso-8859-3',
  LATIN4: 'iso-8859-4',
  LATIN6: 'iso-8859-10',
  LATIN7: 'iso-8859-13',
  LATIN8: 'iso-8859-14',
  LATIN9: 'iso-8859-15',
  LATIN10: 'iso-8859-16',
  ISO_8859_5: 'iso-8859-5',
  ISO_8859_6: 'iso-8859-6',
  ISO_8859_7: 'iso-8859-7',
  ISO_8859_8: 'iso-8859-8',
  KOI8R: 'koi8-r',
  EUC_JP: 'euc-jp',
  WIN866: 'ibm866',
};

/** Where ISO 8859-9 differs from ISO 8859-1. The decoders of WHATWG's names for the two are Windows code pages, which differ in 0x80 to 0x9F. */
const LATIN5_LETTERS: Readonly<Record<string, string>> = { Ð: 'Ğ', Ý: 'İ', Þ: 'Ş', ð: 'ğ', ý: 'ı', þ: 'ş' };
/** Encodings that Node does not know, or knows in another version: dumps are taken in UTF-8, which the server translates. */
const READ_AS_UTF8: ReadonlySet<string> = new Set(['EUC_TW', 'EUC_CN', 'EUC_KR', 'EUC_JIS_2004', 'KOI8U']);

export interface TextReader {
  decode(bytes: Buffer): string;
}

/** The encoding to take a dump in, so that its names can be read exactly: the database's own, or UTF-8. */
export const dumpEncoding = (encoding: string): string => (READ_AS_UTF8.has(encoding) ? 'UTF8' : encoding);

/** Reader of the names in a dump of that encoding; UTF-8 for one that Node does not know. Table data is never decoded. */
export function decoderFor(encoding: string): TextReader {
  if (encoding === 'LATIN1') return { decode: (bytes) => bytes.toString('latin1') };
  if (encoding === 'LATIN5')
    return { decode: (bytes) => bytes.toString('latin1').replaceAll(/[ÐÝÞðýþ]/g, (letter) => LATIN5_LETTERS[letter] ?? letter) };
  const label = LABELS[encoding] ?? encoding.replace(/^WIN(\d+)$/, 'windows-$1');
  try {
    return new TextDecoder(label);
  } catch {
    return new TextDecoder();
  }
}
