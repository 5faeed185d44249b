import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { AppError } from '@rahatback/contracts';
import { isMissing } from '../state/atomic-file.js';
import type { CliContext } from './cli-context.js';

/** @throws AppError VALIDATION naming the file, never its content */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const why = isMissing(error) ? 'does not exist' : 'cannot be read';
    throw new AppError('VALIDATION', `${path} ${why}.`, undefined, { cause: error });
  }
}

/** The file's text without the newline that an editor adds at its end. */
export const readSecretFile = async (path: string): Promise<string> => (await readTextFile(path)).replace(/\r?\n$/, '');

/**
 * Asks for a secret: on a terminal without showing it, else as the first line of standard input, so that scripts can pipe it in. Arguments are
 * never an option, since every user of a machine can read them.
 * @throws AppError VALIDATION when nothing was entered
 */
export async function askSecret(context: CliContext, question: string): Promise<string> {
  const { stdin, stderr, signal } = context;
  const isTerminal = stdin.isTTY === true;
  if (isTerminal) stderr.write(`${question}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: stdin, output: silent, terminal: isTerminal });
  const close = (): void => reader.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    for await (const line of reader) {
      if (line !== '') return line;
      break;
    }
  } finally {
    signal.removeEventListener('abort', close);
    reader.close();
    if (isTerminal) stderr.write('\n');
  }
  signal.throwIfAborted();
  throw new AppError('VALIDATION', `No ${question.toLowerCase()} was given: type it, pipe it in, or name a file.`);
}
