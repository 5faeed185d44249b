import type { Command } from 'commander';
import { AppError } from '@rahatback/contracts';
import {
  assertRecipient,
  generateRecoveryIdentity,
  parseTypedIdentity,
  recipientOf,
  recoveryKitText,
  type PinnedKey,
} from '@rahatback/crypto';
import { open } from 'node:fs/promises';
import { readIdentity, readKeys } from '../state/identity.store.js';
import { pinRecovery, readRecoveryPin } from '../state/recovery-pin.js';
import { note, print, printJson, type CliContext } from './cli-context.js';
import { readTextFile } from './secret-input.js';

interface RecoveryOptions {
  readonly out?: string;
  readonly trust?: string;
  readonly showRecipient?: string;
  readonly workspaceName: string;
  readonly json?: boolean;
}

async function trust(context: CliContext, recipient: string, asJson: boolean): Promise<void> {
  assertRecipient(recipient);
  await context.home.ensure();
  const before = await readRecoveryPin(context.home);
  await pinRecovery(context.home, recipient, 'trusted');
  if (asJson) printJson(context, { recipient, before: before?.recipient ?? null });
  else print(context, `This agent now encrypts for ${recipient}${before ? ` (before: ${before.recipient})` : ''}.`);
}

async function showRecipient(context: CliContext, path: string, asJson: boolean): Promise<void> {
  const recipient = await recipientOf(parseTypedIdentity(await readTextFile(path)));
  if (asJson) printJson(context, { recipient });
  else print(context, recipient);
}

/** Never over an existing file: it may be the only copy of another kit. */
async function writeNew(path: string, text: string): Promise<void> {
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
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function agentKeysOf({ home }: CliContext): Promise<PinnedKey[]> {
  const [identity, keys] = [await readIdentity(home), await readKeys(home)];
  return identity && keys ? [{ id: identity.agentId, publicKey: keys.sign.publicKey }] : [];
}

async function generate(context: CliContext, options: RecoveryOptions): Promise<void> {
  const { identity, recipient } = await generateRecoveryIdentity();
  const kit = recoveryKitText({
    workspaceName: options.workspaceName,
    identity,
    recipient,
    agentKeys: await agentKeysOf(context),
    serverKeys: [],
    createdAt: new Date().toISOString(),
  });
  if (options.out !== undefined) await writeNew(options.out, kit);
  if (options.json) {
    // The private half goes to the file only, where there is one.
    printJson(context, options.out === undefined ? { recipient, identity } : { recipient, kit: options.out });
    return;
  }
  if (options.out === undefined) context.stdout.write(kit);
  else print(context, recipient);
  note(
    context,
    options.out === undefined
      ? 'Print this and keep it offline.'
      : `The kit is in ${options.out}: print it, keep it offline, and delete the file.`,
  );
  note(context, `Give the console the public recipient ${recipient} as the workspace's recovery key.`);
}

export function addRecoveryKeyCommand(program: Command, context: CliContext): void {
  program
    .command('recovery-key')
    .description('make a recovery key and its printable kit, or trust the key of the workspace')
    .option('--out <file>', 'write the kit there (0600) instead of printing it')
    .option('--trust <age1…>', 'pin this public recovery key: backups for any other are refused')
    .option('--show-recipient <kit>', 'print the public half of a kit or identity file')
    .option('--workspace-name <name>', 'name to print on the kit', 'RahatBack')
    .option('--json', 'print one line of JSON')
    .action((options: RecoveryOptions) => {
      if (options.showRecipient !== undefined) return showRecipient(context, options.showRecipient, options.json === true);
      if (options.trust !== undefined) return trust(context, options.trust, options.json === true);
      return generate(context, options);
    });
}
