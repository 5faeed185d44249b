import { randomUUID } from 'node:crypto';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { runRestore, type DatabaseAccess, type OpenBackup, type RestoreResult } from '@rahatback/backup-core';
import type { Connection, TlsMode } from '@rahatback/contracts';
import { TLS_MODES } from '@rahatback/contracts';
import { engineOf } from '../executors/executor-parts.js';
import { note, print, printJson, type CliContext } from './cli-context.js';
import { openOffline, withOfflineOptions, type OfflineOptions } from './offline-options.js';
import { progressDisplay } from './progress-view.js';
import { askSecret, readSecretFile, readTextFile } from './secret-input.js';

interface RestoreOptions extends OfflineOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly tlsMode: TlsMode;
  readonly tlsCa?: string;
  readonly passwordFile?: string;
  readonly password: boolean;
  readonly json?: boolean;
}

const MAX_PORT = 65_535;

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= MAX_PORT) return port;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_PORT}.`);
}

async function passwordOf(context: CliContext, options: RestoreOptions): Promise<string | null> {
  if (!options.password) return null;
  if (options.passwordFile !== undefined) return readSecretFile(options.passwordFile);
  return context.config.pgPassword ?? (await askSecret(context, `Password of ${options.user}`));
}

async function accessOf(context: CliContext, options: RestoreOptions, { link }: OpenBackup): Promise<DatabaseAccess> {
  const connection: Connection = {
    type: link.manifest.engine,
    host: options.host,
    port: options.port,
    username: options.user,
    // Every server has it; the target itself must not exist yet.
    database: 'postgres',
    tlsMode: options.tlsMode,
    tlsCa: options.tlsCa === undefined ? null : await readTextFile(options.tlsCa),
    passwordRef: null,
  };
  return { connection, password: await passwordOf(context, options) };
}

async function restore(context: CliContext, options: RestoreOptions): Promise<void> {
  const backup = await openOffline(context, options);
  const { manifest } = backup.link;
  const engine = engineOf(manifest.engine);
  const asJson = options.json === true;
  if (!asJson) note(context, `Backup ${manifest.backupId} of ${manifest.completedAt} into a new database ${options.database}.`);
  const access = await accessOf(context, options, backup);
  const display = progressDisplay(context, asJson);
  let result: RestoreResult;
  try {
    result = await runRestore({
      engine,
      backup,
      access,
      tools: await engine.findTools({ extraFolders: context.config.toolDirs, path: context.config.path }),
      targetDatabase: options.database,
      restoreId: randomUUID(),
      signal: context.signal,
      onProgress: (view) => display.update(view),
    });
  } finally {
    display.stop();
  }
  const { tables, bytesRestored } = result;
  if (asJson) printJson(context, { backupId: manifest.backupId, database: options.database, bytesRestored, tables });
  else print(context, `Restored ${bytesRestored} bytes into ${options.database}: ${tables.length} tables, every digest equal.`);
}

export function addRestoreCommand(program: Command, context: CliContext): void {
  withOfflineOptions(
    program
      .command('restore')
      .description('restore a backup from a folder or bucket into a new database, without a server')
      .addHelpText('after', '\nThe password comes from --password-file, PGPASSWORD, or is asked for. It is never an argument.'),
  )
    .requiredOption('--database <name>', 'name of the new database; it must not exist yet')
    .option('--host <host>', 'where the target server listens', '127.0.0.1')
    .option('--port <port>', 'its port', portOf, 5432)
    .option('--user <name>', 'a role that may create databases', 'postgres')
    .option('--password-file <file>', 'file that holds the password')
    .option('--no-password', 'the server asks for none')
    .addOption(new Option('--tls-mode <mode>', 'how to encrypt the connection').choices([...TLS_MODES]).default('prefer'))
    .option('--tls-ca <file>', 'certificate authority to check the server with')
    .action((options: RestoreOptions) => restore(context, options));
}
