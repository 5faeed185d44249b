import type { Command } from 'commander';
import { AppError, type TrustAnswer } from '@rahatback/contracts';
import {
  assertRecipient,
  generateRecoveryIdentity,
  pinnedKeysText,
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
  readonly pins?: string | boolean;
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

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** The file that `GET /v1/workspace/trust` answered. @throws AppError VALIDATION */
async function trustFile(path: string): Promise<{ agentKeys: PinnedKey[]; serverKeys: PinnedKey[] }> {
  try {
    const { serverKeyId, serverPublicKey, agents } = JSON.parse(await readTextFile(path)) as Partial<TrustAnswer>;
    if (!isText(serverKeyId) || !isText(serverPublicKey) || !Array.isArray(agents)) throw new Error('not that answer');
    return {
      agentKeys: agents.map(({ agentId, signPublicKey }) => ({ id: String(agentId), publicKey: String(signPublicKey) })),
      serverKeys: [{ id: serverKeyId, publicKey: serverPublicKey }],
    };
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('VALIDATION', `${path} is not what GET /v1/workspace/trust answers. Save that answer there.`, undefined, {
      cause: error,
    });
  }
}

/** The public keys that prove backups genuine, to print again without the private half of the kit. */
async function printPins(context: CliContext, options: RecoveryOptions): Promise<void> {
  const told = isText(options.pins) ? await trustFile(options.pins) : { agentKeys: [], serverKeys: [] };
  const own = (await agentKeysOf(context)).filter(({ id }) => !told.agentKeys.some((key) => key.id === id));
  const pinned = { agentKeys: [...told.agentKeys, ...own], serverKeys: told.serverKeys };
  if (options.json) {
    printJson(context, pinned);
    return;
  }
  const page = pinnedKeysText({ workspaceName: options.workspaceName, ...pinned, createdAt: new Date().toISOString() });
  if (options.out === undefined) context.stdout.write(page);
  else await writeNew(options.out, page);
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
    .option(
      '--pins [file]',
      'print the public keys to keep with the kit: this agent’s, and those that GET /v1/workspace/trust answered',
    )
    .option('--show-recipient <kit>', 'print the public half of a kit or identity file')
    .option('--workspace-name <name>', 'name to print on the kit', 'RahatBack')
    .option('--json', 'print one line of JSON')
    .action((options: RecoveryOptions) => {
      if (options.showRecipient !== undefined) return showRecipient(context, options.showRecipient, options.json === true);
      if (options.pins !== undefined) return printPins(context, options);
      if (options.trust !== undefined) return trust(context, options.trust, options.json === true);
      return generate(context, options);
    });
}
