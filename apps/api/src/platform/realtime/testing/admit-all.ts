import { AppError } from '@rahatback/contracts';
import type { RunningApi } from '../../../testing/start-api.js';
import { AgentMessageRouter } from '../agent-message-router.js';
import type { AgentSession } from '../agent-session.js';

export const SIGNATURE = 'any';

/** Stands in for the agents module: what is tested here is the gateway, not who may enter. Answers the sessions that have ended by now. */
export function admitAll(api: RunningApi): AgentSession[] {
  const left: AgentSession[] = [];
  const router = api.app.get(AgentMessageRouter);
  Object.assign(router, { authenticator: undefined });
  // The real one knows that these agents are in no database, and cuts them.
  const { handlers } = router as unknown as { handlers: Map<string, () => Promise<unknown>> };
  handlers.set('heartbeat', () => Promise.resolve({ serverTime: '', stop: [] }));
  router.setAuthenticator({
    challenge: () => ({ nonce: 'nonce', serverId: 's', serverTime: new Date().toISOString(), minProtocol: 1, maxProtocol: 1 }),
    authenticate: (nonce, message, socketId) => {
      if (nonce !== 'nonce' || message.signature !== SIGNATURE) throw new AppError('AGENT_AUTH_FAILED', 'No.');
      const session = { agentId: message.agentId, workspaceId: 'w', socketId, generation: message.generation };
      return Promise.resolve({ session, answer: { generation: 1, serverTime: '', heartbeatIntervalMs: 1, leaseMs: 1 } });
    },
    disconnected: (session) => Promise.resolve(void left.push(session)),
  });
  return left;
}
