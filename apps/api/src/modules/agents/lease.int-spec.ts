import { randomUUID } from 'node:crypto';
import { startApi, type Registered, type RunningApi } from '../../testing/start-api.js';
import { LeaseService, type LeaseRequest } from './lease.service.js';

describe('leases', () => {
  let api: RunningApi;
  let owner: Registered;
  let leases: LeaseService;
  const holder = randomUUID();

  beforeAll(async () => {
    api = await startApi({ worker: false });
    owner = await api.register();
    leases = api.app.get(LeaseService);
  }, 60_000);
  afterAll(() => api.stop());

  const request = (resource: string, changes: Partial<LeaseRequest> = {}): LeaseRequest => ({
    resource,
    workspaceId: owner.workspaceId,
    holder,
    operationId: randomUUID(),
    ttlMs: 60_000,
    ...changes,
  });
  const newResource = (): string => `backup:${randomUUID()}`;
  const acquire = (resource: string, changes: Partial<LeaseRequest> = {}): Promise<number> =>
    api.database.inWorkspace(owner.workspaceId, (tx) => leases.acquire(tx, request(resource, changes)));
  const release = (resource: string, fence: number): Promise<void> =>
    api.database.inWorkspace(owner.workspaceId, (tx) => leases.release(tx, resource, fence));
  const holds = (resource: string, fence: number): Promise<boolean> =>
    api.database.inWorkspace(owner.workspaceId, (tx) => leases.holds(tx, resource, fence));
  const runOut = (resource: string): Promise<unknown> =>
    api.postgres.query(`UPDATE leases SET expires_at = now() - interval '1 ms' WHERE resource = $1`, [resource]);

  it('have one holder among fifty who come at once, round after round, with a growing fence', async () => {
    const resource = newResource();
    let last = 0;
    for (let round = 0; round < 10; round += 1) {
      const tries = await Promise.allSettled(Array.from({ length: 50 }, () => acquire(resource)));
      const fences = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(fences).toHaveLength(1);
      const refusals = tries.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { code?: string }).code] : []));
      expect(new Set(refusals)).toEqual(new Set(['ALREADY_RUNNING']));
      const [fence] = fences as [number];
      expect(fence).toBe(last + 1);
      last = fence;
      await release(resource, fence);
    }
  }, 60_000);

  it('are free again after release, and after their time, under a higher fence', async () => {
    const resource = newResource();
    const first = await acquire(resource);
    await expect(acquire(resource)).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
    await runOut(resource);
    expect(await holds(resource, first)).toBe(false);
    const second = await acquire(resource);
    expect(second).toBeGreaterThan(first);
    await release(resource, first);
    expect(await holds(resource, second)).toBe(true);
    await release(resource, second);
    expect(await holds(resource, second)).toBe(false);
    expect(await acquire(resource)).toBeGreaterThan(second);
  });

  it('are not taken by a transaction that rolls back', async () => {
    const resource = newResource();
    const failing = api.database.inWorkspace(owner.workspaceId, async (tx) => {
      await leases.acquire(tx, request(resource));
      throw new Error('after the lease');
    });
    await expect(failing).rejects.toThrow('after the lease');
    expect(await acquire(resource)).toBe(1);
  });

  it('are renewed for their holder and fence only, and not once they have run out', async () => {
    const [mine, foreign, old, dead] = [newResource(), newResource(), newResource(), newResource()];
    const item = async (resource: string, changes: Partial<LeaseRequest> = {}) => ({
      resource,
      fence: await acquire(resource, changes),
    });
    const items = [
      await item(mine),
      await item(foreign, { holder: randomUUID() }),
      { resource: old, fence: 7 },
      await item(dead),
    ];
    await acquire(old);
    await runOut(dead);
    await api.postgres.query(`UPDATE leases SET expires_at = now() + interval '1 second' WHERE resource = ANY($1)`, [
      [mine, foreign, old],
    ]);
    const stale = await api.database.inWorkspace(owner.workspaceId, (tx) => leases.renew(tx, holder, items, 60_000));
    expect(stale.map(({ resource }) => resource).sort()).toEqual([foreign, old, dead].sort());
    const rows = await api.postgres.query(
      `SELECT resource FROM leases WHERE resource = ANY($1) AND expires_at > now() + interval '50 seconds'`,
      [[mine, foreign, old, dead]],
    );
    expect(rows).toEqual([[mine]]);
  });

  it('pass to a new attempt, whose predecessor is out', async () => {
    const resource = newResource();
    const first = await acquire(resource);
    const bump = (fence: number): Promise<number> =>
      api.database.inWorkspace(owner.workspaceId, (tx) => leases.bump(tx, resource, { fence, holder, ttlMs: 60_000 }));
    const second = await bump(first);
    expect(second).toBe(first + 1);
    expect(await holds(resource, first)).toBe(false);
    expect(await holds(resource, second)).toBe(true);
    await expect(bump(first)).rejects.toMatchObject({ code: 'FENCED' });
  });

  it('that have run out are found once, while somebody settles them', async () => {
    const resource = newResource();
    await acquire(resource);
    await runOut(resource);
    await api.database.asSystem('test', async (tx) => {
      expect((await leases.expired(tx, 1000)).map((lease) => lease.resource)).toContain(resource);
      const others = await api.database.asSystem('test', (second) => leases.expired(second, 1000));
      expect(others.map((lease) => lease.resource)).not.toContain(resource);
    });
  });
});
