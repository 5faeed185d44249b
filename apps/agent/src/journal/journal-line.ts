import { crc32 } from 'node:zlib';
import { crcOfRest } from './crc-of-rest.js';

/**
 * One line of the journal: `<crc32 of the rest, 8 hex> <batch start> <json>\n`. The batch start is the file's length before the write that
 * carried the line; all before it was fsynced. So a bad line that a later batch follows is damage, and any other is a torn write.
 */
export interface JournalLine {
  readonly batchStart: number;
  readonly record: unknown;
}

const NEWLINE = 0x0a;
const LINE = /^([0-9a-f]{8}) (\d{1,15} .*)$/s;

const checksum = (body: string): string => crc32(body).toString(16).padStart(8, '0');

export function encodeLine(batchStart: number, record: unknown): string {
  const body = `${batchStart} ${JSON.stringify(record)}`;
  return `${checksum(body)} ${body}\n`;
}

/** The line without its newline, or undefined when it is not whole. */
export function decodeLine(text: string): JournalLine | undefined {
  const match = LINE.exec(text);
  const body = match?.[2];
  return body === undefined || match?.[1] !== checksum(body) ? undefined : readBody(body);
}

function readBody(body: string): JournalLine | undefined {
  const space = body.indexOf(' ');
  try {
    return { batchStart: Number(body.slice(0, space)), record: JSON.parse(body.slice(space + 1)) as unknown };
  } catch {
    return undefined;
  }
}

export interface Replay {
  readonly records: readonly unknown[];
  /** Length of the whole lines; what follows was never acknowledged and is cut off. */
  readonly validBytes: number;
  /** Set when a line that had been fsynced is broken. */
  readonly damagedAtByte?: number;
}

const LINE_HEAD = /[0-9a-f]{8} (?=\d{1,15} )/g;
const CHECKSUM_LENGTH = 9;

/**
 * A whole line at the end of a broken one: the newline between them was damaged. The checksums of all that could be one come from two passes,
 * so a line made of nothing but heads costs no more than another.
 */
function lineAtEndOf(text: string): JournalLine | undefined {
  const whole = { crc: crc32(text), bytes: Buffer.byteLength(text) };
  let before = { crc: 0, bytes: 0 };
  let read = 0;
  for (const { 0: head, index } of text.matchAll(LINE_HEAD)) {
    const bodyAt = index + CHECKSUM_LENGTH;
    const passed = text.slice(read, bodyAt);
    before = { crc: crc32(passed, before.crc), bytes: before.bytes + Buffer.byteLength(passed) };
    read = bodyAt;
    if (index === 0 || Number.parseInt(head, 16) !== crcOfRest(whole, before)) continue;
    const line = readBody(text.slice(bodyAt));
    if (line !== undefined) return line;
  }
  return undefined;
}

interface Piece {
  readonly offset: number;
  readonly end: number;
  readonly text: string;
  readonly line: JournalLine | undefined;
}

function* pieces(bytes: Buffer): Generator<Piece> {
  for (let offset = 0; offset < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, offset);
    const end = newline < 0 ? bytes.length : newline + 1;
    const text = bytes.toString('utf8', offset, newline < 0 ? end : newline);
    yield { offset, end, text, line: newline < 0 ? undefined : decodeLine(text) };
    offset = end;
  }
}

/** Reads a journal back after any crash. Pure; see `JournalLine` for how a torn tail is told from damage. */
export function replayJournal(bytes: Buffer): Replay {
  const records: unknown[] = [];
  let firstBad: number | undefined;
  let validBytes = 0;
  for (const { offset, end, text, line } of pieces(bytes)) {
    if (firstBad === undefined && line !== undefined) {
      records.push(line.record);
      validBytes = end;
      continue;
    }
    firstBad ??= offset;
    const later = line ?? lineAtEndOf(text);
    if (later !== undefined && later.batchStart > firstBad) return { records, validBytes, damagedAtByte: firstBad };
  }
  return { records, validBytes };
}
