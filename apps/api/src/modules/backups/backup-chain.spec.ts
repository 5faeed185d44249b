import type { ChainLink } from './backup-chain.js';
import { linksOf, planChain } from './backup-chain.js';

const link = (position: number, change: Partial<ChainLink> = {}): ChainLink => ({
  id: `backup-${position}`,
  workspaceId: 'workspace',
  databaseId: 'database',
  fence: position,
  backupType: position === 1 ? 'full' : 'incremental',
  chainId: 'chain',
  chainPosition: position,
  agentId: 'agent',
  storageId: 'storage',
  compression: 'zstd',
  passphraseVersion: 1,
  startedAt: new Date(Date.UTC(2026, 0, position)),
  damage: null,
  ...change,
});

const job = (change: Partial<Parameters<typeof planChain>[0]> = {}): Parameters<typeof planChain>[0] => ({
  agentId: 'agent',
  storageId: 'storage',
  compression: 'zstd',
  passphraseVersion: 1,
  backupType: 'incremental',
  maxChainLength: 30,
  ...change,
});

describe('planChain', () => {
  it('starts a chain for a full job and never points back', () => {
    const plan = planChain(job({ backupType: 'full' }), [link(1)], 'new');
    expect(plan).toEqual({
      backupType: 'full',
      chainId: 'new',
      baseBackupId: null,
      chainPosition: 1,
      base: [],
      fullBecause: null,
    });
  });

  it('builds an incremental on every link, oldest first, however they come', () => {
    const plan = planChain(job(), [link(3), link(1), link(2)], 'new');
    expect(plan.backupType).toBe('incremental');
    expect(plan.chainId).toBe('chain');
    expect(plan.chainPosition).toBe(4);
    expect(plan.baseBackupId).toBe('backup-3');
    expect(plan.base.map((location) => location.backupId)).toEqual(['backup-1', 'backup-2', 'backup-3']);
  });

  it('builds a differential on the full only', () => {
    const chain = [link(1), link(2, { backupType: 'differential' })];
    const plan = planChain(job({ backupType: 'differential' }), chain, 'new');
    expect(plan.baseBackupId).toBe('backup-1');
    expect(plan.base).toEqual([
      { backupId: 'backup-1', fence: 1, backupType: 'full', workspaceId: 'workspace', databaseId: 'database' },
    ]);
    expect(plan.chainPosition).toBe(3);
  });

  it.each([
    ['nothing to build on', [], {}],
    ['the chain is long enough', [link(1), link(2)], { maxChainLength: 2 }],
    ['another agent', [link(1)], { agentId: 'other' }],
    ['another storage', [link(1)], { storageId: 'other' }],
    ['another passphrase', [link(1)], { passphraseVersion: 2 }],
    ['another compression', [link(1)], { compression: 'gzip' }],
    ['the full is gone', [link(2)], {}],
  ] as const)('makes a full by itself: %s', (_name, chain, change) => {
    const plan = planChain(job(change), chain, 'new');
    expect(plan.backupType).toBe('full');
    expect(plan.chainId).toBe('new');
    expect(plan.base).toEqual([]);
    expect(plan.fullBecause).toEqual(expect.any(String));
  });

  it.each([1, 2, 3])('begins a new chain when link %i is damaged, whatever builds on it', (damaged) => {
    const chain = [1, 2, 3].map((position) => link(position, position === damaged ? { damage: 'data-00001 is missing.' } : {}));
    for (const backupType of ['incremental', 'differential'] as const) {
      expect(planChain(job({ backupType }), chain, 'new')).toMatchObject({
        backupType: 'full',
        chainId: 'new',
        base: [],
        fullBecause: `link 2026-01-0${damaged}T00:00:00.000Z of the chain is damaged`,
      });
    }
  });

  it('lets a chain reach exactly its length', () => {
    expect(planChain(job({ maxChainLength: 3 }), [link(1), link(2)], 'new').chainPosition).toBe(3);
  });
});

describe('linksOf', () => {
  const chain = [link(1), link(2, { backupType: 'differential' }), link(3), link(4)];
  const ids = (backup: ChainLink): string[] => linksOf(backup, chain).map((location) => location.backupId);

  it('needs nothing for a full, the full for a differential, all before it for an incremental', () => {
    expect(ids(link(1))).toEqual([]);
    expect(ids(link(2, { backupType: 'differential' }))).toEqual(['backup-1']);
    expect(ids(link(3))).toEqual(['backup-1', 'backup-2']);
  });
});
