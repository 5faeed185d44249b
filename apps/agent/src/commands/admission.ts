import type { CommandEnvelope } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { assertRecipient, isCryptoError } from '@rahatback/crypto';
import type { CommandJournal } from '../journal/command-journal.js';
import { isExecution } from '../journal/journal-state.js';
import type { AgentHome } from '../state/agent-home.js';
import { policyRefusal, readPolicy } from '../state/policy.js';
import { pinRecovery, readRecoveryPin, recoveryRefusal } from '../state/recovery-pin.js';
import type { AgentLog } from '../log.js';
import { isCommandOf } from './envelope-shape.js';

const expired = (command: CommandEnvelope): AppError =>
  new AppError(
    'COMMAND_EXPIRED',
    `The command was valid until ${command.expiresAt} and came too late: start the operation again.`,
  );

const fenced = (command: CommandEnvelope, seen: number): AppError =>
  new AppError('FENCED', `A newer attempt on ${command.resource} is known (fence ${seen}; this command has ${command.fence}).`, {
    resource: command.resource,
    fence: command.fence,
    seen,
  });

/** @throws AppError COMMAND_EXPIRED by the server's clock as of the handshake */
export function checkExpiry(command: CommandEnvelope, serverNowMs: number): void {
  if (!(Date.parse(command.expiresAt) > serverNowMs)) throw expired(command);
}

/**
 * A fence below the highest seen is refused; an execution also needs one that was not executed before, which keeps a captured frame worthless
 * for ever, even after its id is forgotten and with a clock that an attacker set.
 * @throws AppError FENCED
 */
export function checkFence(command: CommandEnvelope, journal: CommandJournal): void {
  const { highest, executed } = journal.fenceOf(command.resource);
  if (command.fence < highest) throw fenced(command, highest);
  if (isExecution(command.type) && command.fence <= executed) throw fenced(command, executed);
}

function checkRecipient(recipient: string): void {
  try {
    assertRecipient(recipient);
  } catch (error) {
    throw isCryptoError(error) ? new AppError(error.code, error.message) : error;
  }
}

async function checkRecovery(recipient: string, home: AgentHome, log: AgentLog): Promise<void> {
  checkRecipient(recipient);
  const pin = await readRecoveryPin(home);
  if (pin === null) {
    await pinRecovery(home, recipient, 'first-command');
    log.warn(
      { recipient },
      'No recovery key was pinned at enrolment: this agent now trusts the one that the first backup command names. Compare it with the recovery kit.',
    );
    return;
  }
  if (pin.recipient !== recipient) throw recoveryRefusal(pin.recipient, recipient);
}

/**
 * What the owner of this machine allows, whoever signs. Reads the files each time, so the CLI's changes count at once.
 * @throws AppError AGENT_POLICY_REFUSED, RECOVERY_KEY_INVALID
 */
export async function checkPolicy(command: CommandEnvelope, home: AgentHome, log: AgentLog): Promise<void> {
  if (isCommandOf(command, 'job:execute')) await checkRecovery(command.payload.recoveryRecipient, home, log);
  if (isCommandOf(command, 'restore:execute')) {
    const isOverLive = command.payload.targetDatabase === command.payload.connection.database;
    if (isOverLive && !(await readPolicy(home)).restoreOverLive) throw policyRefusal('restoreOverLive');
  }
  // Its undo needs no leave: it only gives back what a swap took that had it.
  if (isCommandOf(command, 'restore:swap') && !(await readPolicy(home)).restoreOverLive) throw policyRefusal('restoreOverLive');
}
