import { cpus, loadavg, totalmem } from 'node:os';
import { sayLine } from '../demo/watch.js';
import type { Rivals } from './rivals.js';

/** The load of the last minute, for the line that says how quiet the machine was. */
export const loadNow = (): string =>
  loadavg()
    .map((value) => value.toFixed(1))
    .join(' ');

/** When, on what and how busy. */
export function sayLoad(): void {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  sayLine(`${new Date().toISOString()}  ${cpus().length} cores (${cpus()[0]?.model ?? '?'}), ${memory}, load ${loadNow()}`);
}

/** What the figures depend on: machine, load and versions. */
export async function sayMachine(rivals: Rivals): Promise<void> {
  sayLoad();
  const commands = [
    'pg_dump --version',
    'restic version',
    'rclone version',
    'zstd --version',
    'openssl version',
    'gzip --version',
  ];
  for (const command of commands) sayLine(`  ${await rivals.version(command)}`);
  sayLine(`  Node ${process.version}`);
}
