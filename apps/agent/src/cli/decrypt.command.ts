import type { Command } from 'commander';
import { open, rm } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { decryptTo } from '@rahatback/backup-core';
import { AppError } from '@rahatback/contracts';
import { isDiskFull } from '../state/atomic-file.js';
import { note, print, printJson, type CliContext } from './cli-context.js';
import { openOffline, withOfflineOptions, type OfflineOptions } from './offline-options.js';

interface DecryptOptions extends OfflineOptions {
  readonly out?: string;
  readonly json?: boolean;
}

/** Standard output must not be ended: the process still needs it to fail loudly. */
const intoStdout = ({ stdout }: CliContext): Writable =>
  new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      stdout.write(chunk, done);
    },
  });

async function intoFile(path: string, write: (target: Writable) => Promise<void>): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw new AppError(
      'CONFLICT',
      `${path} cannot be created: give --out the name of a file that does not exist yet.`,
      undefined,
      {
        cause: error,
      },
    );
  });
  const target = file.createWriteStream({ flush: true });
  try {
    await write(target);
    await finished(target).catch(() => undefined);
  } catch (error) {
    target.destroy();
    // Half a dump under a good name would be taken for a whole one.
    await rm(path, { force: true });
    throw isDiskFull(error) ? new AppError('NO_SPACE', `The disk that holds ${path} is full: free some space.`) : error;
  }
}

async function decrypt(context: CliContext, options: DecryptOptions): Promise<void> {
  const backup = await openOffline(context, options);
  const { manifest } = backup.link;
  note(context, `Backup ${manifest.backupId} of ${manifest.completedAt}: ${manifest.engine}, ${manifest.dumpBytes} bytes.`);
  const write = (target: Writable): Promise<void> => decryptTo(backup, target, context.signal);
  if (options.out === undefined) {
    await write(intoStdout(context));
    return;
  }
  await intoFile(options.out, write);
  const { bytes, sha256 } = backup.end;
  if (options.json) printJson(context, { backupId: manifest.backupId, file: options.out, bytes, sha256 });
  else print(context, `${options.out}: ${bytes} bytes, SHA-256 ${sha256}`);
}

export function addDecryptCommand(program: Command, context: CliContext): void {
  withOfflineOptions(
    program.command('decrypt').description('turn a backup in a folder or bucket into its dump, without a server'),
  )
    .option('--out <file>', 'write the dump there (0600) instead of to standard output')
    .action((options: DecryptOptions) => decrypt(context, options));
}
