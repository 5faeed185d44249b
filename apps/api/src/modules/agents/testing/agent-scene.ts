import type { AgentView, EnrolCodeView, Page } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import type { Registered, RunningApi } from '../../../testing/start-api.js';
import { ScriptedAgent } from './scripted-agent.js';

export async function newCode(api: RunningApi, person: Registered): Promise<string> {
  const { status, body } = await api.call('POST', '/v1/agents/enrol-codes', { token: person.accessToken, body: {} });
  if (status !== 201) throw new Error(`enrol-codes answered ${status}: ${JSON.stringify(body)}`);
  return (body as EnrolCodeView).code;
}

let nextAddress = 1;
/** Another address for every enrolment, so that the limit per address is met only by the test that looks for it. The API must trust 127.0.0.1. */
export const fromAnotherAddress = (): Record<string, string> => {
  nextAddress += 1;
  return { 'x-forwarded-for': `10.1.${nextAddress >> 8}.${nextAddress & 255}` };
};

/** An enrolled agent of the person's workspace, not connected yet. */
export const enrolledAgent = async (api: RunningApi, person: Registered): Promise<ScriptedAgent> =>
  ScriptedAgent.enrol(api.url, await newCode(api, person), fromAnotherAddress());

export async function agentView(api: RunningApi, person: Registered, agentId: string): Promise<AgentView> {
  const { body } = await api.call('GET', `/v1/agents/${agentId}`, { token: person.accessToken });
  return body as AgentView;
}

export async function listedAgents(api: RunningApi, person: Registered): Promise<Page<AgentView>> {
  const { body } = await api.call('GET', '/v1/agents', { token: person.accessToken });
  return body as Page<AgentView>;
}

export const untilStatus = (api: RunningApi, person: Registered, awaited: Pick<AgentView, 'id' | 'status'>, timeoutMs = 5_000) =>
  waitFor(async () => (await agentView(api, person, awaited.id)).status === awaited.status, {
    describe: `agent ${awaited.id} to be ${awaited.status}`,
    timeoutMs,
  });
