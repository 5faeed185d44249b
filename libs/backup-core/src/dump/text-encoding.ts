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
  KOI8U: 'koi8-u',
  EUC_JP: 'euc-jp',
  EUC_JIS_2004: 'euc-jp',
  EUC_KR: 'euc-kr',
  EUC_CN: 'gbk',
  WIN866: 'ibm866',
};

/**
 * Characters that PostgreSQL reads otherwise than the decoder does. LATIN5 is read as ISO 8859-1, because the decoders of WHATWG's names for the two are
 * Windows code pages, which differ in 0x80 to 0x9F.
 */
const CORRECTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  LATIN5: { Ð: 'Ğ', Ý: 'İ', Þ: 'Ş', ð: 'ğ', ý: 'ı', þ: 'ş' },
  KOI8U: { ў: '╝', Ў: '╬' },
  EUC_CN: { '·': '・', '—': '―' },
};

export interface TextReader {
  decode(bytes: Buffer): string;
}

function readerOf(encoding: string): TextReader {
  if (encoding === 'LATIN1' || encoding === 'LATIN5') return { decode: (bytes) => bytes.toString('latin1') };
  const label = LABELS[encoding] ?? encoding.replace(/^WIN(\d+)$/, 'windows-$1');
  try {
    return new TextDecoder(label);
  } catch {
    return new TextDecoder();
  }
}

/**
 * Reader of the names in a dump of that encoding; table data is never decoded. Exact but for names beyond ASCII in EUC_TW and EUC_JIS_2004, and three
 * characters of EUC_KR, which Node does not know.
 */
export function decoderFor(encoding: string): TextReader {
  const reader = readerOf(encoding);
  const corrections = CORRECTIONS[encoding];
  if (!corrections) return reader;
  const wrong = new RegExp(`[${Object.keys(corrections).join('')}]`, 'g');
  return { decode: (bytes) => reader.decode(bytes).replaceAll(wrong, (letter) => corrections[letter] ?? letter) };
}
