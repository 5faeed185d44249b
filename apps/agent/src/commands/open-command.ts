import type { CommandEnvelope, CommandType, SignedCommand } from '@rahatback/contracts';
import { AGENT_PROTOCOL, AGENT_PROTOCOL_MIN, AppError } from '@rahatback/contracts';
import { verifyCommand } from '@rahatback/crypto';
import { isObject } from '../state/json-shape.js';
import { isEnvelope } from './envelope-shape.js';

const MAX_BODY_CHARACTERS = 1024 * 1024;

/** What enrolment pinned. */
export interface CommandTrust {
  readonly agentId: string;
  readonly workspaceId: string;
  readonly commandKeyId: string;
  readonly commandPublicKey: string;
}

const isSigned = (value: unknown): value is SignedCommand =>
  isObject(value) && typeof value.body === 'string' && typeof value.signature === 'string' && typeof value.keyId === 'string';

const badFrame = (sentence: string): AppError => new AppError('WS_BAD_FRAME', sentence);
const refused = (sentence: string, details?: Record<string, unknown>): AppError =>
  new AppError('COMMAND_REFUSED', sentence, details);

function parseBody(body: string): CommandEnvelope {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw badFrame('The command is not JSON: send the canonical JSON that was signed.');
  }
  if (!isEnvelope(value)) throw badFrame('The command lacks fields or has wrong ones: compare it with the agent protocol.');
  return value;
}

/**
 * The command in a frame, when it is genuine: signed with the pinned key over exactly these characters, for this agent and workspace, of the
 * event's type. What it says is decided elsewhere. Nothing of an unsigned frame is looked at but its size.
 * @throws AppError WS_BAD_FRAME, COMMAND_REFUSED, AGENT_UPGRADE_REQUIRED
 */
export function openCommand(type: CommandType, frame: unknown, trust: CommandTrust): CommandEnvelope {
  if (!isSigned(frame) || frame.body.length > MAX_BODY_CHARACTERS) {
    throw badFrame('A command is {body, signature, keyId}, with a body of at most 1 MiB.');
  }
  if (frame.keyId !== trust.commandKeyId) {
    throw refused(
      `The command is signed with key ${frame.keyId.slice(0, 64)}, but this agent trusts ${trust.commandKeyId}. If the server's key was replaced, enrol this agent again.`,
    );
  }
  if (!verifyCommand(trust.commandPublicKey, frame.body, frame.signature)) {
    throw refused('The signature of the command is not of the key that this agent trusts. Somebody else made or changed it.');
  }
  const command = parseBody(frame.body);
  if (command.protocol < AGENT_PROTOCOL_MIN || command.protocol > AGENT_PROTOCOL) {
    throw new AppError(
      'AGENT_UPGRADE_REQUIRED',
      `The command is of protocol ${command.protocol}; this agent speaks ${AGENT_PROTOCOL_MIN} to ${AGENT_PROTOCOL}. Upgrade the older side.`,
    );
  }
  if (command.type !== type) throw refused(`The command is a ${command.type}, but was sent as ${type}.`);
  if (command.agentId !== trust.agentId || command.workspaceId !== trust.workspaceId) {
    throw refused('The command is for another agent or workspace.');
  }
  return command;
}
