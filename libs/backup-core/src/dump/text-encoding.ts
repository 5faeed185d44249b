import { TextDecoder } from 'node:util';

/** PostgreSQL's names of encodings whose WHATWG name is not the same without the prefix. */
const LABELS: Readonly<Record<string, string>> = {
  UTF8: 'utf-8',
  SQL_ASCII: 'utf-8',
  LATIN1: 'iso-8859-1',
  LATIN2: 'iso-8859-2',
  LATIN3: 'iso-8859-3',
  LATIN4: 'iso-8859-4',
  LATIN5: 'iso-8859-9',
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
  KOI8U: 'koi8-u',
  EUC_JP: 'euc-jp',
  EUC_JIS_2004: 'euc-jp',
  EUC_KR: 'euc-kr',
  EUC_CN: 'gbk',
  WIN866: 'ibm866',
};

/** Decoder for the names in a dump of that encoding; UTF-8 for one that Node does not know. Table data is never decoded. */
export function decoderFor(encoding: string): TextDecoder {
  const label = LABELS[encoding] ?? encoding.replace(/^WIN(\d+)$/, 'windows-$1');
  try {
    return new TextDecoder(label);
  } catch {
    return new TextDecoder();
  }
}
