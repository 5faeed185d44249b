import type { Command } from 'commander';
import { AppError } from '@rahatback/contracts';
import { fingerprint, parsePinnedKeys, UNKNOWN_SEAL_KEY } from '@rahatback/crypto';
import { readIdentity } from '../state/identity.store.js';
import { distrustAgent, readTrustedAgents, trustAgent, type TrustedAgent } from '../state/trusted-agents.js';
import { print, printJson, type CliContext } from './cli-context.js';
import { readTextFile } from './secret-input.js';

interface TrustOptions {
  readonly label?: string;
  readonly kit?: string;
  readonly list?: boolean;
  readonly remove?: boolean;
  readonly json?: boolean;
}

function show(context: CliContext, agents: readonly TrustedAgent[], asJson: boolean): void {
  if (asJson) {
    printJson(context, { agents });
    return;
  }
  if (agents.length === 0) print(context, 'No other agent is trusted: no key is handed over, and no other agent is believed.');
  for (const { fingerprint, label, trustedAt } of agents) {
    print(context, `  ${fingerprint}${label === null ? '' : `  (${label})`}  since ${trustedAt}`);
  }
}

function changed(context: CliContext, words: string, options: TrustOptions): Promise<readonly TrustedAgent[]> {
  if (options.remove === true) return distrustAgent(context.home, words);
  return trustAgent(context.home, words, options.label ?? null);
}

/** Agents whose machines are gone: their signing keys are in the kit, and the words are computed here, not told by a server. */
async function trustKit(context: CliContext, path: string): Promise<readonly TrustedAgent[]> {
  const identity = await readIdentity(context.home);
  if (identity === null) throw new AppError('CONFLICT', 'This machine is not enrolled: run rahatback-agent enroll first.');
  const { agentKeys } = parsePinnedKeys(await readTextFile(path));
  if (agentKeys.length === 0) {
    throw new AppError('VALIDATION', `${path} pins no agent. Give the kit together with its page of pinned keys.`);
  }
  let agents = readTrustedAgents(context.home);
  for (const { id, publicKey } of agentKeys) {
    const keys = { signPublicKey: publicKey, sealPublicKey: UNKNOWN_SEAL_KEY, serverPublicKey: identity.commandPublicKey };
    agents = await trustAgent(context.home, fingerprint(keys), `agent ${id} of a recovery kit`);
  }
  return agents;
}

async function trust(context: CliContext, words: readonly string[], options: TrustOptions): Promise<void> {
  await context.home.ensure();
  const asJson = options.json === true;
  if (options.list === true) {
    if (words.length > 0) throw new AppError('VALIDATION', '--list takes no words. Leave one of the two out.');
    show(context, readTrustedAgents(context.home), asJson);
    return;
  }
  if (options.kit !== undefined) {
    if (words.length > 0) throw new AppError('VALIDATION', '--kit takes no words. Leave one of the two out.');
    show(context, await trustKit(context, options.kit), asJson);
    return;
  }
  show(context, await changed(context, words.join(' '), options), asJson);
}

export function addTrustCommand(program: Command, context: CliContext): void {
  program
    .command('trust')
    .description(
      'trust another agent of the workspace by its six words: keys are handed over to it, and its backups are believed',
    )
    .argument('[words...]', 'the six words that "rahatback-agent status" shows on the other machine')
    .option('--label <text>', 'a name to remember it by')
    .option('--kit <file>', 'trust the agents that a recovery kit pins: backups of a lost server are believed')
    .option('--list', 'show whom this agent trusts')
    .option('--remove', 'trust these six words no longer')
    .option('--json', 'print one line of JSON')
    .action((words: readonly string[], options: TrustOptions) => trust(context, words, options));
}
