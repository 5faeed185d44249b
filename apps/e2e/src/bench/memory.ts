import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clientMajors, shimTools } from '@rahatback/testing';
import { renderTable } from '../demo/table.js';
import { sayLine } from '../demo/watch.js';
import { backUp, makeJob, startBenchWorld, type Cleanup } from './bench-world.js';
import { loadNow } from './machine.js';
import type { BenchOptions } from './options.js';
import { rounded, slope } from './statistics.js';

const GB = 1e9;
const MB = 1e6;

/** A whole plain dump of one table; its size stands in a file. `seq` is fast and no two chunks of it are the same. */
const generator = (sizeFile: string): string => `#!/bin/sh
printf 'SET standard_conforming_strings = on;\\nCOPY "public"."t" ("id") FROM stdin;\\n'
seq 1 99999999999 | head -c "$(cat '${sizeFile}')"
printf '\\n\\\\.\\n--\\n-- PostgreSQL database dump complete\\n--\\n'
`;

/** Tools that dump what the size file says. @returns the folder for the agent to find them in */
async function syntheticTools(folder: string, sizeFile: string): Promise<string> {
  await mkdir(folder);
  const real = join(folder, 'generate');
  await writeFile(real, generator(sizeFile));
  await chmod(real, 0o755);
  // Newer than any real release of the same major: the agent takes these.
  const version = `${clientMajors()[0] ?? 15}.99`;
  const { binDir } = await shimTools(folder, { pg_dump: { version, calls: [{ source: { real } }] }, psql: { version } });
  return binDir;
}

/** Peak memory of the agent, freshly started for each size. @returns what the last line says */
export async function benchMemory(
  sizesGb: readonly number[],
  options: BenchOptions,
  cleanups: Cleanup[],
  home: string,
): Promise<object> {
  const sizeFile = join(home, 'dump-bytes');
  const tools = await syntheticTools(join(home, 'tools'), sizeFile);
  const agentEnv = { RAHATBACK_TOOL_DIRS: tools };
  const world = await startBenchWorld({ mb: 1, profileDir: options.profileDir, agentEnv }, cleanups);
  const points: { dumpGb: number; peakRssMb: number; wallSeconds: number }[] = [];
  for (const dumpGb of sizesGb) {
    await writeFile(sizeFile, String(Math.round(dumpGb * GB)));
    await world.restartAgent();
    const run = await backUp(world, await makeJob(world));
    if ((run.view.sizeBytes ?? 0) < dumpGb * GB)
      throw new Error(`The agent dumped ${run.view.sizeBytes} bytes instead of ${dumpGb} GB`);
    points.push({ dumpGb, peakRssMb: rounded(run.peakRssBytes / MB, 1), wallSeconds: rounded(run.wallSeconds, 1) });
    sayLine(`  ${dumpGb} GB: ${(run.peakRssBytes / MB).toFixed(1)} MB, ${run.wallSeconds.toFixed(1)} s, load ${loadNow()}`);
  }
  const cells = points.map(({ dumpGb, peakRssMb, wallSeconds }) => [String(dumpGb), String(peakRssMb), String(wallSeconds)]);
  sayLine(renderTable(['dump GB', 'agent peak MB', 'wall s'], cells, [0, 1, 2]));
  const sizes = new Set(sizesGb);
  const growthMbPerGb = sizes.size < 2 ? null : rounded(slope(points.map(({ dumpGb, peakRssMb }) => [dumpGb, peakRssMb])));
  return { memory: points, growthMbPerGb, agentPeakRssMb: Math.max(...points.map(({ peakRssMb }) => peakRssMb)) };
}
