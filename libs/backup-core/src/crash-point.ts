/**
 * Places where a kill is worth testing, by topic. Others (`agent.*`, `api.*`, `worker.*`) are added by the programs that have them; the names
 * here are those that this library passes.
 */
export const CRASH_POINTS = [
  'backup.dump.first_byte',
  'backup.dump.mid',
  'backup.dump.end',
  'upload.part.before_put',
  'upload.part.after_put',
  'upload.after_last_part',
  'backup.index.after',
  'backup.keys.after',
  'backup.manifest.before',
  'backup.manifest.after',
  'restore.created',
  'restore.mid',
  'restore.loaded',
  'restore.digested',
  'restore.renamed',
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

/** Those of a full verification, around its throw-away server. */
export const VERIFY_CRASH_POINTS = ['verify.server.started', 'verify.restored'] as const;

/** Those of a swap and its undo, which the proof of swaps passes under load. */
export const SWAP_CRASH_POINTS = [
  'swap.blocked',
  'swap.drained',
  'swap.in_transaction',
  'swap.committed',
  'swap.reopened',
  'undo.blocked',
  'undo.drained',
  'undo.in_transaction',
  'undo.committed',
  'undo.reopened',
] as const;

let armed: { readonly name: string; left: number } | null = null;

/**
 * Arms one point: `<name>:<nth>` kills this process with SIGKILL when it passes `name` for the nth time (from 1; `:1` may be left out). For
 * tests only; a program calls it once at start from its configuration. `undefined` or an empty text disarms.
 * @throws RangeError for a text of another form
 */
export function configureCrashPoints(spec: string | undefined): void {
  if (!spec) {
    armed = null;
    return;
  }
  const [, name, nth = '1'] = /^([a-z0-9_.]+)(?::([1-9]\d*))?$/.exec(spec) ?? [];
  if (name === undefined) throw new RangeError('A crash point is written <name>:<nth>.');
  armed = { name, left: Number(nth) };
}

/** Does nothing, unless this point is armed and its turn has come. Any name may be given: the programs have points of their own. */
export function crashPoint(name: string): void {
  if (armed?.name !== name) return;
  armed.left -= 1;
  if (armed.left === 0) process.kill(process.pid, 'SIGKILL');
}
