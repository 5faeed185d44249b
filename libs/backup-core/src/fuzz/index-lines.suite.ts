import { createHash } from 'node:crypto';
import { encodeRun } from '../index/index-format.js';

const idOf = (n: number): Buffer => createHash('sha256').update(String(n)).digest();

/** The lines of a small index, as IndexWriter makes them. */
export const indexLines = (): string[] => {
  const runs = [0, 1, 2].map((n) => ({
    frame: { backup: n % 2, volume: 1 + n, offset: n * 1000, frameLength: 500, plainLength: 900 },
    chunks: [0, 1, 2].map((k) => ({ id: idOf(n * 10 + k), length: 300, offset: 300 * k })),
  }));
  const facts = { engine: 'postgresql', dumpFormat: 'plain', encoding: 'UTF8', extensions: [], roles: ['app'] };
  return [
    JSON.stringify({ index: 1, backup: 'b-1', links: ['b-0'], chunker: 'fastcdc-256k' }),
    ...runs.map(encodeRun),
    JSON.stringify({ facts }),
    JSON.stringify({ table: { schema: 'public', table: 't', columns: ['id'], rows: 3, bytes: 9 } }),
    JSON.stringify({ sequence: { name: 'public.s', value: '4', called: true } }),
    JSON.stringify({ object: { type: 'TABLE', schema: 'public', name: 't' } }),
    JSON.stringify({ end: { chunks: 9, bytes: 2700, sha256: '0'.repeat(64) } }),
  ];
};
