import { AppError } from '@rahatback/contracts';
import type { AgentHome } from './agent-home.js';
import { readJson, writeJsonAtomic } from './atomic-file.js';
import { objectOf, textOf } from './json-shape.js';

export const PIN_ORIGINS = ['enrolment', 'first-command', 'trusted'] as const;
export type PinOrigin = (typeof PIN_ORIGINS)[number];

/** The one recovery recipient that backups of this agent may be readable for. A breached server cannot add its own. */
export interface RecoveryPin {
  readonly recipient: string;
  readonly origin: PinOrigin;
  readonly pinnedAt: string;
}

export async function readRecoveryPin(home: AgentHome): Promise<RecoveryPin | null> {
  const found = await readJson(home.recoveryFile);
  if (found === undefined) return null;
  const object = objectOf(found, home.recoveryFile);
  return {
    recipient: textOf(object, 'recipient', home.recoveryFile),
    origin: PIN_ORIGINS.find((origin) => origin === object.origin) ?? 'trusted',
    pinnedAt: textOf(object, 'pinnedAt', home.recoveryFile),
  };
}

export async function pinRecovery(home: AgentHome, recipient: string, origin: PinOrigin): Promise<RecoveryPin> {
  const pin: RecoveryPin = { recipient, origin, pinnedAt: new Date().toISOString() };
  await writeJsonAtomic(home.recoveryFile, pin);
  return pin;
}

export const recoveryRefusal = (pinned: string, asked: string): AppError =>
  new AppError(
    'AGENT_POLICY_REFUSED',
    `The server asks to encrypt for recovery key ${asked}, but this agent trusts ${pinned}. ` +
      `If the workspace really changed its key, run on the agent's machine: rahatback-agent recovery-key --trust ${asked}`,
    { pinned, asked },
  );
