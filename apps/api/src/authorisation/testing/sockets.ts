import type { ErrorBody, Result } from '@rahatback/contracts';
import { AGENT_NAMESPACE, AppError } from '@rahatback/contracts';
import { io, type Socket } from 'socket.io-client';
import type { ScriptedAgent } from '../../modules/agents/testing/scripted-agent.js';

const ANSWER_LIMIT_MS = 10_000;

const dial = (url: string, token: string | undefined, headers: Record<string, string>): Socket =>
  io(url, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth: token === undefined ? {} : { token },
    extraHeaders: headers,
  });

/** One frame on the agents' namespace by somebody who shows a person's token there, or nothing; the code of the refusal, or `accepted`. */
export async function sayUnregistered(url: string, token: string | undefined, event: string, frame: unknown): Promise<string> {
  const socket = dial(`${url}${AGENT_NAMESPACE}`, token, {});
  try {
    await new Promise((resolve, reject) => {
      socket.once('agent:challenge', resolve);
      socket.once('connect_error', reject);
    });
    const answer = (await socket.timeout(ANSWER_LIMIT_MS).emitWithAck(event, frame)) as Result<unknown>;
    return answer.ok ? 'accepted' : answer.error.code;
  } finally {
    socket.disconnect();
  }
}

/** What a registered agent is answered, as text: the value, or the code and sentence of the refusal. */
export async function sayAs(agent: ScriptedAgent, event: string, frame: unknown): Promise<{ code: string; text: string }> {
  try {
    return { code: 'ok', text: JSON.stringify(await agent.send(event, frame)) ?? 'nothing' };
  } catch (error) {
    if (error instanceof AppError)
      return { code: error.code, text: `${error.code} ${error.message} ${JSON.stringify(error.details)}` };
    throw error;
  }
}

/** A page that listens; or the code with which it was not let in. */
export function listen(url: string, token: string | undefined): Promise<Socket | string> {
  const socket = dial(`${url}/`, token, { origin: url });
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', (error) => resolve((error as Error & { data?: ErrorBody }).data?.code ?? error.message));
  });
}
