import { startApi } from '../../testing/start-api.js';
import type { RunningApi } from '../../testing/start-api.js';

describe('accounts', () => {
  let api: RunningApi;
  beforeAll(async () => {
    api = await startApi();
  }, 60_000);
  afterAll(() => api?.stop());

  it('registers a person who owns a workspace', async () => {
    const person = await api.register();
    const me = await api.call('GET', '/v1/auth/me', { token: person.accessToken });
    expect(me).toMatchObject({ status: 200, body: { id: person.userId, workspaceId: person.workspaceId, role: 'owner' } });
  });
});
