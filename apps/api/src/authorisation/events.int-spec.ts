import { randomUUID } from 'node:crypto';
import type { ServerToPersonEvents } from '@rahatback/contracts';
import { waitFor } from '@rahatback/testing';
import type { Socket } from 'socket.io-client';
import { CommandDirectory } from '../modules/agents/command-directory.js';
import { CommandRow } from '../modules/agents/command.entity.js';
import type { ScriptedAgent } from '../modules/agents/testing/scripted-agent.js';
import { AGENT_FRAMES } from '../platform/realtime/agent-frames.js';
import { AgentMessageRouter } from '../platform/realtime/agent-message-router.js';
import { LiveEvents } from '../platform/realtime/live-events.js';
import type { RunningApi } from '../testing/start-api.js';
import { startApi } from '../testing/start-api.js';
import { AGENT_EVENTS, PEOPLE_EVENTS } from './testing/event-table.js';
import type { Frames } from './testing/event-world.js';
import { connected, framesOf, nobodysFrames, sibling } from './testing/event-world.js';
import type { Tokens } from './testing/principals.js';
import { mayListen, PRINCIPALS, TOKEN_RIGHTS, tokensOf } from './testing/principals.js';
import { leaksIn } from './testing/requests.js';
import { uncovered } from './testing/routes.js';
import { listen, sayAs, sayUnregistered } from './testing/sockets.js';
import { TenantState } from './testing/tenant-state.js';
import { World } from './testing/world.js';

const EVENTS = Object.entries(AGENT_EVENTS);
const PEOPLE = PRINCIPALS.filter((principal) => principal !== 'agent');
/** No answer to the agent whose work it is. */
const NOT_FOR_IT = [
  'UNAUTHENTICATED',
  'AGENT_AUTH_FAILED',
  'AGENT_REVOKED',
  'NOT_FOUND',
  'FORBIDDEN',
  'WS_BAD_FRAME',
  'INTERNAL',
];

describe('authorisation of socket events', () => {
  let api: RunningApi;
  let own: World;
  let other: World;
  let tokens: Tokens;
  let agents: Record<'own' | 'sibling' | 'stranger', ScriptedAgent>;
  let frames: Frames;
  let state: TenantState;
  let secrets: ReadonlySet<string>;
  const wrong: string[] = [];
  let cells = 0;
  const note = (isRight: boolean, sentence: string): void => {
    cells += 1;
    if (!isRight) wrong.push(sentence);
  };
  beforeAll(async () => {
    api = await startApi({ worker: false, config: { trustProxy: ['127.0.0.1'], leaseMs: 600_000 } });
    [own, other] = [await World.create(api), await World.create(api)];
    tokens = await tokensOf(own, other);
    frames = await framesOf(own);
    agents = {
      own: await connected(own, own.scene.agent),
      sibling: await sibling(own),
      stranger: await connected(other, other.scene.agent),
    };
    state = await TenantState.keep(api.postgres);
    secrets = await state.secretsOf(own.workspaceId, other.workspaceId);
  }, 90_000);
  afterAll(async () => {
    for (const agent of Object.values(agents ?? {})) agent.disconnect();
    process.stdout.write(
      `authorisation: ${EVENTS.length + Object.keys(PEOPLE_EVENTS).length} events, ${cells} cells, ${wrong.length} wrong\n`,
    );
    await api?.stop();
  });

  it('has a row for every event of agents, and every event is answered', () => {
    expect(uncovered('event', Object.keys(AGENT_FRAMES), Object.keys(AGENT_EVENTS))).toEqual([]);
    const router = api.app.get(AgentMessageRouter);
    expect(EVENTS.map(([event]) => event).filter((event) => router.handlerOf(event) === undefined)).toEqual(['agent:register']);
  });

  it('takes frames of nobody but a registered agent', async () => {
    for (const [event, { frame }] of EVENTS) {
      const before = await state.look(own.workspaceId);
      const expected = event === 'agent:register' ? 'AGENT_AUTH_FAILED' : 'WS_BAD_FRAME';
      for (const principal of PEOPLE) {
        const code = await sayUnregistered(api.url, tokens[principal], event, frame(frames));
        note(code === expected, `${event} of ${principal}: expected ${expected}, was ${code}`);
      }
      const after = await state.look(own.workspaceId);
      note(after.everything === before.everything && after.own === before.own, `${event} of people: rows changed`);
    }
    expect(wrong).toEqual([]);
  }, 90_000);

  it.each(['sibling', 'stranger'] as const)(
    'lets the %s agent say nothing of work that is not its own',
    async (who) => {
      const works = EVENTS.filter(([event]) => !['agent:register', 'agent:journal', 'heartbeat'].includes(event));
      for (const [event, { frame }] of works) {
        // Whether the agent at work has just said some must not show in what others are answered.
        if (event.endsWith(':progress')) await sayAs(agents.own, event, frame(frames));
        const before = await state.look(own.workspaceId);
        const said = frame(frames);
        const answer = await sayAs(agents[who], event, said);
        const after = await state.look(own.workspaceId);
        const toNobody = await sayAs(agents[who], event, frame(nobodysFrames(frames)));
        const leaks = leaksIn(answer.text, secrets, JSON.stringify(said));
        note(answer.text === toNobody.text, `${event} of the ${who}: ${answer.text}, but for nobody's command ${toNobody.text}`);
        note(after.own === before.own && leaks.length === 0, `${event} of the ${who}: rows changed, or it says ${leaks.join()}`);
      }
      expect(wrong).toEqual([]);
    },
    60_000,
  );

  it('would see it if a report were matched to the command of another agent', async () => {
    const match = jest
      .spyOn(CommandDirectory.prototype, 'reported')
      .mockImplementation((tx, _session, { commandId }) => tx.findOneBy(CommandRow, { id: commandId }));
    const seen: boolean[] = [];
    for (const who of ['sibling', 'stranger'] as const) {
      const before = await state.look(own.workspaceId);
      await sayAs(agents[who], 'backup:export:result', AGENT_EVENTS['backup:export:result'].frame(frames));
      seen.push((await state.look(own.workspaceId)).own !== before.own);
    }
    match.mockRestore();
    await state.reset();
    expect(seen).toEqual([true, false]); // between workspaces, row-level security still holds
  });

  it('keeps journal and heartbeat of others away from an agent at work', async () => {
    for (const event of ['agent:journal', 'heartbeat'] as const) {
      const before = await state.look(own.workspaceId);
      const answer = await sayAs(agents.stranger, event, AGENT_EVENTS[event].frame(frames));
      const toNobody = await sayAs(agents.stranger, event, AGENT_EVENTS[event].frame(nobodysFrames(frames)));
      const plain = (text: string): string => text.replace(/[0-9a-f-]{36}|\d{4}-\d\d-\d\dT[\d:.]+Z/g, '');
      note(plain(answer.text) === plain(toNobody.text), `${event} of the stranger: ${answer.text}, ${toNobody.text}`);
      note((await state.look(own.workspaceId)).own === before.own, `${event} of the stranger: rows changed`);
      await state.reset();
    }
    expect(wrong).toEqual([]);
  });

  it('takes every frame of the agent whose work it is', async () => {
    const taken: string[] = [];
    for (const [event, { frame }] of EVENTS.filter(([name]) => name !== 'agent:register')) {
      const { code, text } = await sayAs(agents.own, event, frame(frames));
      note(!NOT_FOR_IT.includes(code), `${event} of the agent whose work it is: ${text}`);
      if (code === 'ok') taken.push(event);
      await state.reset();
    }
    expect(taken.length).toBeGreaterThanOrEqual(25);
    const again = await agents.own.clone().connect({ journal: false });
    note(again.generation > 0, 'agent:register of the agent itself');
    expect(wrong).toEqual([]);
  }, 60_000);

  it('shows people the events of their own workspace, and nobody else any', async () => {
    const pages: { principal: string; mayHear: boolean; socket: Socket; heard: string[] }[] = [];
    for (const principal of PRINCIPALS) {
      const page = await listen(api.url, tokens[principal]);
      if (typeof page === 'string') {
        const isRight = page === (TOKEN_RIGHTS[principal] ? 'SCOPE_MISSING' : 'UNAUTHENTICATED') && !mayListen(principal);
        for (const event of Object.keys(PEOPLE_EVENTS)) note(isRight, `${event} to ${principal}: not let in, ${page}`);
        continue;
      }
      const heard: string[] = [];
      page.onAny((event: string, { marker }: { marker?: string }) => heard.push(`${event} ${marker}`));
      pages.push({ principal, mayHear: mayListen(principal), socket: page, heard });
    }
    expect(pages).toHaveLength(8);
    const [ofA, ofB] = [randomUUID(), randomUUID()];
    const live = api.app.get(LiveEvents);
    const emit = (workspaceId: string, event: string, marker: string): void =>
      live.toWorkspace(workspaceId, event as keyof ServerToPersonEvents, { marker } as never);
    for (const event of Object.keys(PEOPLE_EVENTS)) {
      emit(own.workspaceId, event, ofA);
      emit(other.workspaceId, event, ofB);
    }
    const count = Object.keys(PEOPLE_EVENTS).length;
    await waitFor(() => pages.every(({ heard }) => heard.length >= count), { describe: 'the events' });
    for (const event of Object.keys(PEOPLE_EVENTS)) {
      for (const { principal, mayHear, heard } of pages) {
        const isRight = heard.includes(`${event} ${ofA}`) === mayHear && heard.includes(`${event} ${ofB}`) === !mayHear;
        note(isRight, `${event} to ${principal}: ${heard.join()}`);
      }
    }
    for (const { socket } of pages) socket.disconnect();
    expect(wrong).toEqual([]);
  });
});
