import type { SeededRandom } from '@rahatback/testing';
import { SWAP_CRASH_POINTS } from '../../crash-point.js';
import { swap, undoSwap } from './pg-swap.js';
import { propertiesOf, type DatabaseState, type SwapWorld } from './swap-world.suite.js';

/** About as long as a swap under load takes, from its first statement. */
const RANDOM_WITHIN_MS = 250;

export type Kill = { readonly point: string } | { readonly afterMs: number };
/** One swap and its undo, each killed once. */
export interface KillCase {
  readonly swap: Kill;
  readonly undo: Kill;
}

/** Half of the kills at the named points in turn, half at random times. */
export function killCases(count: number, random: SeededRandom): KillCase[] {
  const pointsOf = (kind: string): string[] => SWAP_CRASH_POINTS.filter((point) => point.startsWith(kind));
  const [swaps, undos] = [random.shuffle(pointsOf('swap.')), random.shuffle(pointsOf('undo.'))];
  const later = (): Kill => ({ afterMs: random.int(RANDOM_WITHIN_MS) });
  return Array.from({ length: count }, (_, n) => {
    const at = Math.floor(n / 2) % swaps.length;
    return n % 2 === 0
      ? { swap: { point: swaps[at] as string }, undo: later() }
      : { swap: later(), undo: { point: undos[at] as string } };
  });
}

export interface CaseOutcome {
  /** Processes that died by the kill; one that had ended before does not count. */
  readonly kills: number;
  readonly rerunMs: readonly number[];
}

const never = (): AbortSignal => new AbortController().signal;

/** What every moment must look like: the live name is one of the two, with all properties of the live database. */
function assertWhole(world: SwapWorld, states: ReadonlyMap<string, DatabaseState>, original: DatabaseState): 'old' | 'new' {
  const { liveDatabase, restoredDatabase, retiredDatabase } = world.request();
  const live = states.get(liveDatabase);
  if (!live) throw new Error(`${liveDatabase} is gone: there are ${[...states.keys()].join(', ')}`);
  expect(propertiesOf(live)).toEqual(propertiesOf(original));
  const isOld = live.oid === world.oldOid;
  const other = isOld ? world.newOid : world.oldOid;
  const names = [...states].filter(([, { oid }]) => oid === other).map(([name]) => name);
  expect([[restoredDatabase], [retiredDatabase]]).toContainEqual(names);
  expect(states.size).toBe(2);
  if (!isOld) expect(live.oid).toBe(world.newOid);
  return isOld ? 'old' : 'new';
}

/** After the re-run: settled, open for its users, with the content that is due. */
async function assertSettled(world: SwapWorld, original: DatabaseState, due: 'old' | 'new'): Promise<void> {
  const states = await world.states();
  expect(assertWhole(world, states, original)).toBe(due);
  expect([...states.values()].map(({ allowsConnections }) => allowsConnections)).toEqual([true, true]);
  expect(await world.generation()).toEqual([{ generation: due, work_mem: '3MB' }]);
}

async function killAndRerun(world: SwapWorld, kind: 'swap' | 'undo', kill: Kill, original: DatabaseState) {
  const { wasKilled, log } = await world.killed(kind, kill);
  if (!wasKilled && !/^done /m.test(log)) throw new Error(`${kind} ended by itself: ${log.slice(-1000)}`);
  assertWhole(world, await world.states(), original);
  const from = performance.now();
  await (kind === 'swap' ? swap : undoSwap)(world.access(), world.request(), never());
  const rerunMs = performance.now() - from;
  await assertSettled(world, original, kind === 'swap' ? 'new' : 'old');
  return { wasKilled, rerunMs };
}

/** Swap, killed; again, to its end; undo, killed; again, to its end. @returns when everything was as it must be */
export async function runKillCase(world: SwapWorld, kill: KillCase, original: DatabaseState): Promise<CaseOutcome> {
  const swapped = await killAndRerun(world, 'swap', kill.swap, original);
  const undone = await killAndRerun(world, 'undo', kill.undo, original);
  // The old database is what it was, to its last property and word.
  expect((await world.states()).get(world.request().liveDatabase)).toEqual(original);
  world.turnNames();
  const outcomes = [swapped, undone];
  return { kills: outcomes.filter(({ wasKilled }) => wasKilled).length, rerunMs: outcomes.map(({ rerunMs }) => rerunMs) };
}
