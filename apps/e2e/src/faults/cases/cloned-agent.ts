import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentView, AuditView, Page } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import { AgentSide, waitOnline } from '../../system/agent-side.js';
import { mustHold, type FaultCase } from '../fault-case.js';
import type { FaultWorld } from '../fault-world.js';
import { goodBackup, jobTo } from '../operations.js';

const QUARANTINED_WITHIN_MS = 30_000;

const agentNow = async ({ person, agentView }: FaultWorld): Promise<AgentView> => {
  const { results } = await person.call<Page<AgentView>>('GET', '/v1/agents?limit=100');
  const found = results.find(({ id }) => id === agentView.id);
  if (!found) throw new Error('The agent is gone');
  return found;
};

const alarms = async ({ person, agentView }: FaultWorld): Promise<number> => {
  const { results } = await person.call<Page<AuditView>>('GET', '/v1/audit?limit=100');
  return results.filter(({ action, targetId }) => action === 'agent.quarantined' && targetId === agentView.id).length;
};

/** A person compares the six words and takes the original in again. The copy stays out. */
async function reaccept(world: FaultWorld, copy: AgentSide): Promise<string> {
  const { person, agent, agentView } = world;
  await Promise.all([copy.daemon.stop(), agent.daemon.stop()]);
  await person.call('POST', `/v1/agents/${agentView.id}/reaccept`, { fingerprint: agentView.fingerprint });
  await agent.daemon.start();
  await waitOnline(person, 'agent-1');
  await copy.daemon.start();
  const heard = (): boolean => /AGENT_QUARANTINED|old session number/.test(copy.daemon.log().slice(-4_000));
  await waitFor(heard, { describe: 'the copy to be refused', timeoutMs: QUARANTINED_WITHIN_MS });
  await copy.daemon.stop();
  return (await agentNow(world)).status;
}

const clone: FaultCase = {
  row: 57,
  title: "an agent's keys are copied to a second machine and both connect",
  async run(world) {
    const { agent, server, person } = world;
    const home = join(world.folder, 'agent-copy');
    const before = await alarms(world);
    await cp(agent.home, home, { recursive: true, preserveTimestamps: true });
    const copy = new AgentSide({ name: 'agent-copy', home, logDir: server.logDir });
    try {
      await copy.daemon.start();
      const isQuarantined = async (): Promise<boolean> => (await agentNow(world)).status === 'quarantined';
      await waitFor(isQuarantined, { describe: 'the agent to be quarantined', timeoutMs: QUARANTINED_WITHIN_MS });
      const raised = (await alarms(world)) - before;
      const run = await person.send('POST', `/v1/backups/jobs/${(await jobTo(world, 'local')).id}/run`);
      // A copy may get in once more before the original shows its number: then both go again.
      const status = await reaccept(world, copy);
      return [
        ...mustHold(raised === 1, `${raised} alarms`),
        ...mustHold((run.body as { status?: string }).status !== 'sent_to_agent', 'a quarantined agent was given work'),
        ...mustHold(status !== 'revoked', `the agent is ${status}`),
      ];
    } finally {
      await copy.daemon.kill();
      await backInService(world);
      await goodBackup(world, await jobTo(world, 'local'));
    }
  },
};

/** The refused copy puts both into quarantine again: that is the rule, and a person lets the original in once more. */
async function backInService(world: FaultWorld): Promise<void> {
  const { person, agent, agentView } = world;
  if ((await agentNow(world)).status === 'quarantined') {
    await agent.daemon.stop();
    await person.call('POST', `/v1/agents/${agentView.id}/reaccept`, { fingerprint: agentView.fingerprint });
  }
  await agent.daemon.stop();
  await agent.daemon.start();
  await waitOnline(person, 'agent-1');
}

export const clonedAgentFaults: readonly FaultCase[] = [clone];
