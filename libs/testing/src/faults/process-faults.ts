import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '../wait-for.js';

/** What may be wrong inside of one Node process. */
export interface InnerFault {
  /** Added to the wall clock (`Date`) from now on. The monotonic clock goes on as it was, as with a step of NTP. Default 0. */
  readonly clockOffsetMs?: number;
  /** Nothing else runs in the main thread for so long, once. */
  readonly blockLoopMs?: number;
  /** This many of the next fsync and fdatasync calls of files fail with EIO. Default 0. */
  readonly failSyncs?: number;
}

export interface ProcessFaults {
  /** Give it to the process at its start. */
  readonly env: Readonly<Record<string, string>>;
  /** Resolves when the process has taken the fault over; it must be running. Replaces the one before. */
  set(fault: InnerFault): Promise<void>;
  /** For before the start of the process. */
  prepare(fault: InnerFault): void;
  /** How many calls were failed so far. */
  failedSyncs(): Promise<number>;
}

/** Runs in the process before its own code. Looks at its file ten times a second, and answers into another one. */
const SHIM = `
import fs, { readFileSync, writeFileSync } from 'node:fs';
const file = process.env.RAHAT_INNER_FAULT;
let fault = {};
let seen = '';
let left = 0;
let failed = 0;
const tell = () => writeFileSync(file + '.seen', JSON.stringify({ id: fault.id, failed }));
const look = () => {
  let text = '';
  try { text = readFileSync(file, 'utf8'); } catch { return; }
  if (text === seen || !text.endsWith('\\n')) return;
  seen = text;
  fault = JSON.parse(text);
  left = fault.failSyncs ?? 0;
  tell();
  if (fault.blockLoopMs) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, fault.blockLoopMs);
};
const RealDate = Date;
const now = () => RealDate.now() + (fault.clockOffsetMs ?? 0);
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self),
  apply: () => new RealDate(now()).toString(),
  get: (target, key, self) => (key === 'now' ? now : Reflect.get(target, key, target)),
});
const mayFail = () => {
  if (left <= 0) return;
  left -= 1;
  failed += 1;
  tell();
  throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO', errno: -5, syscall: 'fsync' });
};
const probe = await fs.promises.open(file + '.probe', 'w');
const prototype = Object.getPrototypeOf(probe);
await probe.close();
for (const name of ['sync', 'datasync']) {
  const real = prototype[name];
  prototype[name] = async function () { mayFail(); return real.call(this); };
}
look();
setInterval(look, 100).unref();
`;

/**
 * Faults inside of a Node process that no proxy can bring about: steps of its clock, a blocked event loop, a disk whose fsync fails.
 * @param folder of the test; keeps the preloaded module and what is said to the process
 * @param name tells the processes of a test apart
 */
export function processFaults(folder: string, name: string): ProcessFaults {
  const shim = join(folder, `${name}-faults.mjs`);
  const file = join(folder, `${name}-faults.json`);
  writeFileSync(shim, SHIM, { mode: 0o600 });
  let id = 0;
  const say = (fault: InnerFault): void => {
    id += 1;
    writeFileSync(file, `${JSON.stringify({ ...fault, id })}\n`, { mode: 0o600 });
  };
  const heard = async (): Promise<{ id?: number; failed?: number }> =>
    JSON.parse(await readFile(`${file}.seen`, 'utf8').catch(() => '{}')) as { id?: number; failed?: number };
  return {
    env: { NODE_OPTIONS: `--import=file://${shim}`, RAHAT_INNER_FAULT: file },
    prepare: say,
    async set(fault) {
      say(fault);
      await waitFor(async () => (await heard()).id === id, { describe: `${name} to take its fault over`, timeoutMs: 10_000 });
    },
    failedSyncs: async () => (await heard()).failed ?? 0,
  };
}
