import type { Command } from 'commander';
import type { CommandEntry } from '../journal/journal-state.js';
import { isEnded } from '../journal/journal-state.js';
import { readJournalEntries } from '../journal/read-journal.js';
import { isHomeLocked } from '../state/home-lock.js';
import { readIdentity, readKeys, type AgentIdentity } from '../state/identity.store.js';
import { readPolicy, type AgentPolicy } from '../state/policy.js';
import { readRecoveryPin } from '../state/recovery-pin.js';
import { readStatus, type DaemonStatus } from '../state/status.store.js';
import { AGENT_VERSION } from '../version.js';
import { print, printJson, type CliContext } from './cli-context.js';
import { EXIT } from './exit-codes.js';

interface Overview {
  readonly version: string;
  readonly home: string;
  readonly isEnrolled: boolean;
  readonly isRunning: boolean;
  readonly isOnline: boolean;
  readonly identity: AgentIdentity | null;
  /** Ed25519, base64: what this agent's manifests are checked with when there is no server. */
  readonly signPublicKey: string | null;
  readonly daemon: DaemonStatus | null;
  readonly recoveryRecipient: string | null;
  readonly policy: AgentPolicy;
  readonly commands: readonly Pick<CommandEntry, 'id' | 'type' | 'state' | 'resource'>[];
}

async function overview({ home }: CliContext): Promise<Overview> {
  await home.ensure();
  const [identity, daemon, pin, policy] = [
    await readIdentity(home),
    await readStatus(home),
    await readRecoveryPin(home),
    await readPolicy(home),
  ];
  const isRunning = isHomeLocked(home);
  const open = (await readJournalEntries(home)).filter((entry) => !entry.confirmed);
  return {
    version: AGENT_VERSION,
    home: home.path,
    isEnrolled: identity !== null,
    isRunning,
    isOnline: isRunning && daemon?.link === 'online',
    identity,
    signPublicKey: (await readKeys(home))?.sign.publicKey ?? null,
    daemon,
    recoveryRecipient: pin?.recipient ?? null,
    policy,
    commands: open.map(({ id, type, state, resource }) => ({ id, type, state, resource })),
  };
}

function linkLine({ isRunning, daemon }: Overview): string {
  if (!isRunning) return 'not running (start it with: rahatback-agent run)';
  const error = daemon?.lastError ? `: ${daemon.lastError}` : '';
  return `${daemon?.link ?? 'starting'}${error}`;
}

function describe(context: CliContext, found: Overview): void {
  const { identity, daemon } = found;
  print(context, `Agent ${found.version}, home ${found.home}`);
  if (identity === null) {
    print(context, 'Not enrolled: run rahatback-agent enroll <code> --server <url>');
    return;
  }
  print(context, `  Machine:      ${identity.deviceName} (${identity.agentId})`, `  Server:       ${identity.serverUrl}`);
  print(context, `  Fingerprint:  ${identity.fingerprint}`, `  Recovery key: ${found.recoveryRecipient ?? 'none yet'}`);
  print(context, `  Signing key:  ${found.signPublicKey ?? 'none'}`);
  print(context, `  Connection:   ${linkLine(found)}`, `  Last contact: ${daemon?.lastContactAt ?? 'never'}`);
  for (const { id, type, state, resource } of found.commands) {
    print(
      context,
      `  Command:      ${type} ${isEnded({ state } as CommandEntry) ? `${state}, not yet confirmed` : state} (${resource}, ${id})`,
    );
  }
}

export function addStatusCommand(program: Command, context: CliContext): void {
  program
    .command('status')
    .description('show whether this agent is enrolled, running and online')
    .option('--json', 'print one line of JSON')
    .action(async (options: { readonly json?: boolean }) => {
      const found = await overview(context);
      if (options.json) printJson(context, found);
      else describe(context, found);
      if (!found.isOnline) context.setExitCode(EXIT.notOnline);
    });
}
