import { AGENT_PROTOCOL, type AgentView, type EnrolCodeView, type ErrorBody } from '@rahatback/contracts';
import { fingerprint } from '@rahatback/crypto';
import { waitFor } from '@rahatback/testing';
import { MAX_FRAME_BYTES } from '../../platform/realtime/socket-hub.js';
import { startApi, type Registered, type RunningApi } from '../../testing/start-api.js';
import { agentView, enrolledAgent, fromAnotherAddress, listedAgents, newCode, untilStatus } from './testing/agent-scene.js';
import { ScriptedAgent } from './testing/scripted-agent.js';

describe('agents', () => {
  let api: RunningApi;
  let owner: Registered;

  beforeAll(async () => {
    api = await startApi({ config: { trustProxy: ['127.0.0.1'], watchdogIntervalMs: 200, agentOfflineAfterMs: 2_000 } });
    owner = await api.register();
  }, 60_000);
  afterAll(() => api.stop());

  const codeOf = (error: unknown): string | undefined => (error as { code?: string }).code;
  const auditOf = async (agentId: string): Promise<string[]> => {
    const rows = await api.postgres.query('SELECT action FROM audit_events WHERE target_id = $1 ORDER BY at', [agentId]);
    return rows.map(([action]) => String(action));
  };

  describe('enrolment', () => {
    it('shows the code once, keeps only its hash, and says how to use it', async () => {
      const { status, body } = await api.call('POST', '/v1/agents/enrol-codes', {
        token: owner.accessToken,
        body: { label: 'cellar' },
      });
      const { code, command, expiresAt } = body as EnrolCodeView;
      expect(status).toBe(201);
      expect(command).toBe(`rahatback-agent enroll ${code} --server ${api.config.publicUrl}`);
      const minutes = (Date.parse(expiresAt) - Date.now()) / 60_000;
      expect(minutes).toBeGreaterThan(14);
      expect(minutes).toBeLessThanOrEqual(15.1);
      const [row] = await api.postgres.query('SELECT to_jsonb(e)::text FROM enrol_codes e ORDER BY created_at DESC LIMIT 1');
      expect(String(row?.[0])).not.toContain(code);
      expect(String(row?.[0])).toContain('cellar');
    });

    it('gives both sides the same six words and pins the server key', async () => {
      const agent = await enrolledAgent(api, owner);
      const { enrolment, sign, seal } = agent.identity;
      const computed = fingerprint({
        signPublicKey: sign.publicKey,
        sealPublicKey: seal.publicKey,
        serverPublicKey: enrolment.commandPublicKey,
      });
      expect(enrolment.fingerprint).toBe(computed);
      const view = await agentView(api, owner, agent.id);
      expect(view).toMatchObject({ fingerprint: computed, status: 'offline', deviceName: 'test machine', lastSeenAt: null });
      expect(computed.split(' ')).toHaveLength(6);
      expect(await auditOf(agent.id)).toEqual(['agent.enrolled']);
    });

    it('lets one of fifty who come at once with the same code in', async () => {
      const code = await newCode(api, owner);
      const before = (await listedAgents(api, owner)).totalResults;
      const tries = await Promise.allSettled(
        Array.from({ length: 50 }, () => ScriptedAgent.enrol(api.url, code, fromAnotherAddress())),
      );
      expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const refusals = tries.flatMap((one) => (one.status === 'rejected' ? [codeOf(one.reason)] : []));
      expect(new Set(refusals)).toEqual(new Set(['ENROL_REFUSED']));
      expect((await listedAgents(api, owner)).totalResults).toBe(before + 1);
    });

    it('takes a code however it was typed', async () => {
      const code = (await newCode(api, owner)).toLowerCase().replaceAll('-', ' ');
      await expect(ScriptedAgent.enrol(api.url, code, fromAnotherAddress())).resolves.toBeInstanceOf(ScriptedAgent);
    });

    it('answers wrong, used and expired codes, and a wrong proof, with one text', async () => {
      const used = await newCode(api, owner);
      await ScriptedAgent.enrol(api.url, used, fromAnotherAddress());
      const expired = await newCode(api, owner);
      await api.postgres.query(`UPDATE enrol_codes SET expires_at = now() - interval '1 second' WHERE used_at IS NULL`);
      const answers: ErrorBody[] = [];
      for (const code of ['0000-0000-0000-0000-0000-0000-0000', used, expired]) {
        const refusal: unknown = await ScriptedAgent.enrol(api.url, code, fromAnotherAddress()).catch((error: unknown) => error);
        answers.push(refusal as ErrorBody);
      }
      const fresh = await newCode(api, owner);
      const other = await enrolledAgent(api, owner);
      const stolen = await fetch(`${api.url}/v1/agents/enrol`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...fromAnotherAddress() },
        body: JSON.stringify({
          code: fresh,
          deviceName: 'thief',
          platform: 'x',
          version: '1',
          signPublicKey: other.identity.sign.publicKey,
          sealPublicKey: other.identity.seal.publicKey,
          proof: Buffer.alloc(64).toString('base64'),
        }),
      });
      expect(stolen.status).toBe(401);
      answers.push((await stolen.json()) as ErrorBody);
      expect(new Set(answers.map(({ code, message }) => `${code} ${message}`)).size).toBe(1);
      expect(answers[0]?.code).toBe('ENROL_REFUSED');
      // A proof that does not fit does not spend the code.
      await expect(ScriptedAgent.enrol(api.url, fresh, fromAnotherAddress())).resolves.toBeInstanceOf(ScriptedAgent);
    });

    it('limits tries per address', async () => {
      const headers = fromAnotherAddress();
      const codes: (string | undefined)[] = [];
      for (let attempt = 0; attempt < 12; attempt += 1) {
        codes.push(await ScriptedAgent.enrol(api.url, 'WRONG-CODE-1', headers).then(() => 'in', codeOf));
      }
      expect(codes.slice(0, 10)).toEqual(Array(10).fill('ENROL_REFUSED'));
      expect(codes.slice(10)).toEqual(['RATE_LIMITED', 'RATE_LIMITED']);
    });

    it('shows agents to their own workspace only', async () => {
      const stranger = await api.register();
      const agent = await enrolledAgent(api, owner);
      for (const [method, path] of [
        ['GET', `/v1/agents/${agent.id}`],
        ['POST', `/v1/agents/${agent.id}/revoke`],
      ] as const) {
        expect((await api.call(method, path, { token: stranger.accessToken })).status).toBe(404);
      }
      expect((await listedAgents(api, stranger)).totalResults).toBe(0);
      expect((await api.call('GET', '/v1/agents/not-a-uuid', { token: owner.accessToken })).status).toBe(400);
    });
  });

  describe('sessions', () => {
    it('begin with a proof and end with the connection', async () => {
      const agent = await enrolledAgent(api, owner);
      const answer = await agent.connect();
      expect(answer).toMatchObject({ heartbeatIntervalMs: api.config.heartbeatIntervalMs, leaseMs: api.config.leaseMs });
      const view = await agentView(api, owner, agent.id);
      expect(view).toMatchObject({ status: 'online', tools: [{ name: 'pg_dump', version: '15.4', path: '/usr/bin/pg_dump' }] });
      agent.disconnect();
      await untilStatus(api, owner, { id: agent.id, status: 'offline' });
    });

    it('refuse a forged signature, an unknown agent and a nonce of another socket with one text', async () => {
      const agent = await enrolledAgent(api, owner);
      const other = await enrolledAgent(api, owner);
      const messages: string[] = [];
      const refusal = (work: Promise<unknown>): Promise<unknown> =>
        work.then(
          () => messages.push('accepted'),
          (error: ErrorBody) => messages.push(`${error.code} ${error.message}`),
        );
      await refusal(agent.connect({ signature: Buffer.alloc(64, 1).toString('base64') }));
      await refusal(agent.connect({ agentId: '019a3c1e-8c8b-7c6e-9d3e-0123456789ab' }));
      await refusal(agent.connect({ agentId: other.id }));
      const first = await agent.dial();
      const second = await agent.clone().dial();
      const message = agent.registration(first.challenge);
      const answer = (await second.socket.emitWithAck('agent:register', message)) as { ok: boolean; error: ErrorBody };
      messages.push(answer.ok ? 'accepted' : `${answer.error.code} ${answer.error.message}`);
      first.socket.disconnect();
      second.socket.disconnect();
      expect(new Set(messages).size).toBe(1);
      expect(messages[0]).toMatch(/^AGENT_AUTH_FAILED/);
      expect((await agentView(api, owner, agent.id)).status).toBe('offline');
    });

    it('tell an agent of another protocol which side is too old', async () => {
      const agent = await enrolledAgent(api, owner);
      await expect(agent.connect({ protocol: 0 })).rejects.toMatchObject({
        code: 'AGENT_UPGRADE_REQUIRED',
        message: expect.stringContaining('Upgrade the agent'),
      });
      await expect(agent.connect({ protocol: AGENT_PROTOCOL + 5 })).rejects.toMatchObject({
        code: 'AGENT_UPGRADE_REQUIRED',
        message: expect.stringContaining('Upgrade the server'),
      });
    });

    it('are one per agent: the newer cuts the older', async () => {
      const agent = await enrolledAgent(api, owner);
      await agent.connect();
      const newer = agent.clone();
      await newer.connect();
      await waitFor(() => !agent.isConnected, { describe: 'the older session to be cut', timeoutMs: 1_000 });
      expect(agent.cutReason?.code).toBe('FENCED');
      expect(newer.isConnected).toBe(true);
      await expect(newer.report('heartbeat', { running: [] })).resolves.toMatchObject({ stop: [] });
      newer.disconnect();
    });

    it('survive crashes between the new number and the disk, however often', async () => {
      const agent = await enrolledAgent(api, owner);
      await agent.connect();
      for (let crash = 0; crash < 4; crash += 1) await agent.connect({ forgetGeneration: true, journal: false });
      await agent.connect();
      expect((await agentView(api, owner, agent.id)).status).toBe('online');
      agent.disconnect();
    });

    it('with an old number put both copies into quarantine, until a person re-accepts one', async () => {
      const agent = await enrolledAgent(api, owner);
      await agent.connect();
      const copy = agent.clone();
      await agent.connect();
      await expect(copy.connect()).rejects.toMatchObject({ code: 'AGENT_QUARANTINED' });
      await waitFor(() => !agent.isConnected, { describe: 'the original to be cut', timeoutMs: 1_000 });
      expect(agent.cutReason?.code).toBe('AGENT_QUARANTINED');
      await expect(agent.connect()).rejects.toMatchObject({ code: 'AGENT_QUARANTINED' });
      expect((await agentView(api, owner, agent.id)).status).toBe('quarantined');
      expect(await auditOf(agent.id)).toContain('agent.quarantined');

      const path = `/v1/agents/${agent.id}/reaccept`;
      const reaccept = (words: string) => api.call('POST', path, { token: owner.accessToken, body: { fingerprint: words } });
      expect((await reaccept('wrong words are not enough here')).status).toBe(400);
      expect((await agentView(api, owner, agent.id)).status).toBe('quarantined');
      const answer = await reaccept(` ${agent.identity.enrolment.fingerprint.toUpperCase()} `);
      expect(answer).toMatchObject({ status: 200, body: { status: 'offline' } });
      expect((await reaccept(agent.identity.enrolment.fingerprint)).status).toBe(409);
      await agent.connect();
      await expect(copy.connect()).rejects.toMatchObject({ code: 'AGENT_QUARANTINED' });
    });

    it('of a silent agent are noticed, and come back with its next word', async () => {
      const agent = await enrolledAgent(api, owner);
      await agent.connect();
      await untilStatus(api, owner, { id: agent.id, status: 'offline' }, 6_000);
      expect(agent.isConnected).toBe(true);
      await agent.report('heartbeat', { running: [] });
      expect((await agentView(api, owner, agent.id)).status).toBe('online');
      agent.disconnect();
    });
  });

  describe('revocation', () => {
    it('cuts within a second, for good, and leaves a trace', async () => {
      const agent = await enrolledAgent(api, owner);
      await agent.connect();
      const startedAt = performance.now();
      const { status, body } = await api.call('POST', `/v1/agents/${agent.id}/revoke`, { token: owner.accessToken });
      expect({ status, state: (body as AgentView).status }).toEqual({ status: 200, state: 'revoked' });
      await waitFor(() => !agent.isConnected, { describe: 'the session to be cut', timeoutMs: 1_000 });
      expect(performance.now() - startedAt).toBeLessThan(1_000);
      expect(agent.cutReason?.code).toBe('AGENT_REVOKED');
      await expect(agent.connect()).rejects.toMatchObject({ code: 'AGENT_REVOKED' });
      expect(await auditOf(agent.id)).toEqual(['agent.enrolled', 'agent.revoked']);
      expect((await api.call('POST', `/v1/agents/${agent.id}/revoke`, { token: owner.accessToken })).status).toBe(200);
      expect(await auditOf(agent.id)).toEqual(['agent.enrolled', 'agent.revoked']);
    });
  });

  describe('frames', () => {
    const strikes: [string, unknown][] = [
      ['no:such:event', {}],
      ['heartbeat', 'not an object'],
      ['heartbeat', { running: [{ commandId: 'x', resource: 'r', fence: -1 }] }],
      ['agent:journal', { not: 'a list' }],
      ['database:test:result', { commandId: '019a3c1e-8c8b-7c6e-9d3e-0123456789ab', fence: 0, success: 'yes' }],
    ];

    it.each(strikes)('answer %s with WS_BAD_FRAME and keep the socket', async (event, message) => {
      const agent = await enrolledAgent(api, owner);
      await agent.connect();
      await expect(agent.send(event, message)).rejects.toMatchObject({ code: 'WS_BAD_FRAME' });
      await expect(agent.report('heartbeat', { running: [] })).resolves.toBeDefined();
      agent.disconnect();
    });

    it('close the socket at the third bad one', async () => {
      const agent = await enrolledAgent(api, owner);
      await agent.connect();
      for (let strike = 0; strike < 3; strike += 1) await agent.send('heartbeat', []).catch(() => undefined);
      await waitFor(() => !agent.isConnected, { describe: 'the socket to be closed', timeoutMs: 2_000 });
    });

    it('above the largest that is needed close the socket', async () => {
      const agent = await enrolledAgent(api, owner);
      await agent.connect();
      agent.send('heartbeat', { running: [], padding: 'x'.repeat(MAX_FRAME_BYTES) }).catch(() => undefined);
      await waitFor(() => !agent.isConnected, { describe: 'the socket to be closed', timeoutMs: 2_000 });
    });

    it('before registration are refused', async () => {
      const agent = await enrolledAgent(api, owner);
      await agent.dial();
      await expect(agent.report('heartbeat', { running: [] })).rejects.toMatchObject({ code: 'WS_BAD_FRAME' });
      agent.disconnect();
    });
  });
});
