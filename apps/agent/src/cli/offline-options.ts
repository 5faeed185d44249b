import type { Command } from 'commander';
import { openBackup, type OpenBackup } from '@rahatback/backup-core';
import { chooseBackup } from '../offline/choose-backup.js';
import { openPlace } from '../offline/open-place.js';
import { unlockerOf } from '../offline/unlock.js';
import type { CliContext } from './cli-context.js';

/** Options of every command that reads a backup without a server. */
export interface OfflineOptions {
  readonly from: string;
  readonly backup?: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly credentials?: string;
  readonly identity?: string;
  readonly passphraseFile?: string;
  readonly passphrase?: boolean;
  readonly agentKey?: readonly string[];
  readonly acceptUnsigned?: boolean;
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

export const withOfflineOptions = (command: Command): Command =>
  command
    .requiredOption('--from <place>', 'file:///folder, a folder, or s3://bucket/prefix')
    .option('--backup <id>', 'which backup, when the place holds several')
    .option('--endpoint <url>', 'S3 server other than AWS')
    .option('--region <region>', 'S3 region (default: AWS_REGION)')
    .option('--credentials <file>', 'AWS credentials file (default: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)')
    .option('--identity <file>', 'open with a recovery kit or age identity (default: this agent’s own key)')
    .option('--passphrase-file <file>', 'open with the passphrase in this file')
    .option('--passphrase', 'open with a passphrase that is asked for, or read from standard input')
    .option('--agent-key <id=key>', 'believe backups that this agent signed; may be given several times', collect)
    .option('--accept-unsigned', 'do not check who made the backup')
    .option('--json', 'print lines of JSON');

/** Finds, checks and opens the backup that the options name. @throws AppError as `openPlace`, `chooseBackup`, `openBackup` */
export async function openOffline(context: CliContext, options: OfflineOptions): Promise<OpenBackup> {
  const files = await openPlace(options, context.config.s3);
  const unlocker = await unlockerOf(context, options);
  const chosen = await chooseBackup(files, options.backup ?? null);
  return openBackup({
    source: unlocker.wrap(chosen.source),
    backupId: chosen.backupId,
    trust: (agentId) => unlocker.trust(agentId),
    unlock: (keys) => unlocker.unlock(keys),
    linkSource: (backupId) => unlocker.wrap(chosen.links.get(backupId) ?? chosen.source),
  });
}
