import type { Command } from 'commander';
import { ServerAddress } from '../connection/server-address.js';
import { enrol } from '../enrolment.js';
import { lockHome } from '../state/home-lock.js';
import { readRecoveryPin } from '../state/recovery-pin.js';
import { note, print, printJson, type CliContext } from './cli-context.js';

interface EnrollOptions {
  readonly server: string;
  readonly name?: string;
  readonly replace?: boolean;
  readonly json?: boolean;
}

async function enroll(context: CliContext, code: string, options: EnrollOptions): Promise<void> {
  const { home } = context;
  if (new ServerAddress(options.server).isClearText) {
    note(context, 'Warning: http:// sends the enrolment over the network in the clear. Use https:// outside of a test.');
  }
  await home.ensure();
  // A daemon that runs on the old keys would write over the new state.
  const lock = lockHome(home);
  try {
    const identity = await enrol(home, {
      code,
      serverUrl: options.server,
      deviceName: options.name ?? null,
      replace: options.replace === true,
    });
    const pin = await readRecoveryPin(home);
    const { agentId, workspaceId, deviceName, fingerprint } = identity;
    if (options.json) {
      printJson(context, { agentId, workspaceId, deviceName, fingerprint, recoveryRecipient: pin?.recipient ?? null });
      return;
    }
    print(context, `Enrolled as ${deviceName} (${agentId}).`, '', `  Fingerprint: ${fingerprint}`, '');
    print(context, 'Compare these six words with those in the console. If they differ, revoke this agent there.');
    print(context, pin ? `Recovery key: ${pin.recipient}` : 'Recovery key: none yet; the first backup command will set it.');
    print(context, 'Start it with: rahatback-agent run');
  } finally {
    lock.release();
  }
}

export function addEnrollCommand(program: Command, context: CliContext): void {
  program
    .command('enroll')
    .description('trade a one-time code for an identity of this machine')
    .argument('<code>', 'the code that the console shows; it works once, for 15 minutes')
    .requiredOption('--server <url>', 'address of the RahatBack server')
    .option('--name <name>', 'how the console shows this machine (default: its host name)')
    .option('--replace', 'forget the agent that this home holds already')
    .option('--json', 'print one line of JSON')
    .action((code: string, options: EnrollOptions) => enroll(context, code, options));
}
