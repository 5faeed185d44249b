import type { AgentSocket } from '@rahatback/api-client';
import type { AgentChallenge, RegisterAnswer, RegisterMessage, Result, ToolVersion } from '@rahatback/contracts';
import { AGENT_PROTOCOL, AppError, errorFromBody } from '@rahatback/contracts';
import { sessionProofBytes, signBytes } from '@rahatback/crypto';
import { platformName } from '../enrolment.js';
import type { AgentHome } from '../state/agent-home.js';
import type { AgentIdentity, AgentKeys } from '../state/identity.store.js';
import { isObject } from '../state/json-shape.js';
import { readGeneration, writeGeneration } from '../state/session.store.js';
import { AGENT_VERSION } from '../version.js';

const REGISTER_TIMEOUT_MS = 10_000;

export interface Registrant {
  readonly home: AgentHome;
  readonly identity: AgentIdentity;
  readonly keys: AgentKeys;
  readonly tools: readonly ToolVersion[];
}

function checkChallenge(challenge: AgentChallenge, identity: AgentIdentity): void {
  if (!isObject(challenge) || typeof challenge.nonce !== 'string') {
    throw new AppError('WS_BAD_FRAME', 'The server sent no proper challenge: check that the address is a RahatBack server.');
  }
  if (challenge.serverId !== identity.serverId) {
    throw new AppError(
      'AGENT_AUTH_FAILED',
      'This is not the server that the agent was enrolled with: check its address, or enrol the agent again.',
    );
  }
  if (AGENT_PROTOCOL < challenge.minProtocol || AGENT_PROTOCOL > challenge.maxProtocol) {
    throw new AppError(
      'AGENT_UPGRADE_REQUIRED',
      `The server speaks protocols ${challenge.minProtocol} to ${challenge.maxProtocol}, this agent ${AGENT_PROTOCOL}: upgrade the older side.`,
    );
  }
}

/**
 * Proves to the server who this agent is, and keeps the new session generation on the disk before the session is used.
 * @throws AppError what the server refused with, or AGENT_TIMEOUT
 */
export async function register(challenge: AgentChallenge, socket: AgentSocket, registrant: Registrant): Promise<RegisterAnswer> {
  const { home, identity, keys } = registrant;
  checkChallenge(challenge, identity);
  const generation = await readGeneration(home);
  const { agentId, serverId } = identity;
  const proof = sessionProofBytes({ serverId, agentId, nonce: challenge.nonce, generation });
  const message: RegisterMessage = {
    agentId,
    deviceName: identity.deviceName,
    platform: platformName(),
    version: AGENT_VERSION,
    protocol: AGENT_PROTOCOL,
    tools: registrant.tools,
    generation,
    signature: signBytes(keys.sign.privateKey, proof),
  };
  let result: Result<RegisterAnswer>;
  try {
    const answer: unknown = await socket.timeout(REGISTER_TIMEOUT_MS).emitWithAck('agent:register', message);
    result = answer as Result<RegisterAnswer>;
  } catch (error) {
    throw new AppError('AGENT_TIMEOUT', 'The server did not answer the registration.', undefined, { cause: error });
  }
  if (!result.ok) throw errorFromBody(result.error);
  await writeGeneration(home, result.value.generation);
  return result.value;
}
