import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunningApi } from '../testing/start-api.js';
import { startApi } from '../testing/start-api.js';

describe('a fresh installation', () => {
  let api: RunningApi;
  const lines: string[] = [];
  beforeAll(async () => {
    api = await startApi({
      worker: false,
      config: { logLevel: 'info' },
      logDestination: { write: (line) => void lines.push(line) },
    });
  }, 60_000);
  afterAll(() => api?.stop());

  it('has no person, no credential and no secret that it was delivered with', async () => {
    const tables = await api.postgres.query(
      `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migrations'`,
    );
    const filled: string[] = [];
    for (const [table] of tables) {
      const [row] = await api.postgres.query(`SELECT count(*) FROM ${String(table)}`);
      if (Number(row?.[0]) > 0) filled.push(String(table));
    }
    expect(filled).toEqual([]);
  });

  it('makes its own keys, which nobody else on the machine reads, and says none of them', async () => {
    const { keysDir } = api.config;
    expect((await stat(keysDir)).mode & 0o077).toBe(0);
    const names = await readdir(keysDir);
    expect(names.length).toBeGreaterThanOrEqual(6);
    for (const name of names) {
      expect([name, (await stat(join(keysDir, name))).mode & 0o077]).toEqual([name, 0]);
      if (!name.endsWith('.key')) continue;
      const secret = (await readFile(join(keysDir, name), 'utf8')).replace(/-----[A-Z ]+-----/g, '').trim();
      expect(lines.join('')).not.toContain(secret.split('\n')[0]);
    }
  });

  it('writes one line of JSON per request, with who, what, when and where, whatever the request says', async () => {
    const person = await api.register();
    await api.call('PATCH', '/v1/workspace', { token: person.accessToken, body: { name: 'Ördek\u001b[31m" , "level": 60 }' } });
    await fetch(`${api.url}/v1/nothing%0a%7b%22level%22:60%7d?x=%1b[2J`, { headers: { 'x-correlation-id': 'a b"c' } });
    await fetch(`${api.url}/v1/workspace`, { headers: { authorization: 'Bearer made.up.token' } });
    const { body: member } = await api.call('POST', '/v1/workspace/members', { token: 'none', body: {} });
    expect(member).toMatchObject({ code: 'UNAUTHENTICATED' });
    for (const line of lines) {
      expect(line.trimEnd()).not.toMatch(/[\n\r\u001b]/);
      const parsed = JSON.parse(line) as { level: number; time: number };
      expect(parsed.level).toBeLessThan(60);
      expect(Math.abs(parsed.time - Date.now())).toBeLessThan(600_000);
    }
    const requests = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line['req'] !== undefined);
    const known = requests.find((line) => line['userId'] === person.userId);
    expect(known).toMatchObject({
      workspaceId: person.workspaceId,
      ip: '127.0.0.1',
      req: { method: 'PATCH', url: '/v1/workspace' },
    });
    const refused = requests.filter((line) => (line['res'] as { statusCode: number }).statusCode === 401);
    expect(refused.length).toBe(2);
    for (const line of refused) expect(line).toMatchObject({ ip: '127.0.0.1', correlationId: expect.any(String) });
  });
});
