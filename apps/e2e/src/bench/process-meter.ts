import { readdirSync, readFileSync } from 'node:fs';

const SAMPLE_MS = 100;
const PAGE_BYTES = 4096;
/** USER_HZ, in which /proc counts processor time on every Linux. */
const TICKS_PER_SECOND = 100;
/** The dump and load tools, whose memory and processor time stand apart: every rival runs the same ones. */
const TOOL = /^(pg_dump|pg_restore|psql)$/;
/** The shell that only starts a rival's programs. */
const SHELL = 'bash';

interface Sample {
  readonly pid: number;
  readonly name: string;
  /** A dump or load tool, or below one. */
  readonly isTool: boolean;
  readonly ownTicks: number;
  /** Own time and that of children that have ended. */
  readonly allTicks: number;
  readonly rssBytes: number;
}

export interface Usage {
  /** User and system time of all processes, tools included. */
  readonly cpuSeconds: number;
  /** Of these: the dump or load tool. */
  readonly toolCpuSeconds: number;
  /** Highest sum of the resident memory of all processes but the tools, sampled each 100 ms. */
  readonly peakRssBytes: number;
}

/** Undefined for a process that has ended meanwhile. */
function sampleOf(pid: number, isBelowTool: boolean): Sample | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const nameEnd = stat.lastIndexOf(')');
    const fields = stat
      .slice(nameEnd + 2)
      .split(' ')
      .map(Number);
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
    const name = stat.slice(stat.indexOf('(') + 1, nameEnd);
    return {
      pid,
      name,
      isTool: isBelowTool || TOOL.test(name),
      ownTicks: user + system,
      allTicks: user + system + childUser + childSystem,
      rssBytes: (fields[21] ?? 0) * PAGE_BYTES,
    };
  } catch {
    return undefined;
  }
}

function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const lists = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'));
    return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
  } catch {
    return [];
  }
}

/** The process and everything below it, as it is now. */
function treeOf(pid: number, isBelowTool = false): Sample[] {
  const own = sampleOf(pid, isBelowTool);
  return own === undefined ? [] : [own, ...childrenOf(pid).flatMap((child) => treeOf(child, own.isTool))];
}

/** What processes and all their children use from the meter's start to its end, read from /proc. */
export class ProcessMeter {
  private peakRssBytes = 0;
  private readonly toolTicks = new Map<number, number>();
  private readonly before: number;
  private readonly timer: NodeJS.Timeout;

  /** Measures from now on. @param pids roots; processes that have ended by then count no more */
  constructor(private readonly pids: readonly number[]) {
    this.before = this.ticks();
    this.sample();
    this.timer = setInterval(() => this.sample(), SAMPLE_MS);
  }

  private tree(): Sample[] {
    return this.pids.flatMap((pid) => treeOf(pid));
  }

  private ticks(): number {
    return this.tree().reduce((sum, { allTicks }) => sum + allTicks, 0);
  }

  private sample(): void {
    let rss = 0;
    for (const { pid, name, isTool, ownTicks, rssBytes } of this.tree()) {
      if (isTool) this.toolTicks.set(pid, ownTicks);
      else if (name !== SHELL) rss += rssBytes;
    }
    this.peakRssBytes = Math.max(this.peakRssBytes, rss);
  }

  stop(): Usage {
    clearInterval(this.timer);
    this.sample();
    const tools = [...this.toolTicks.values()].reduce((sum, ticks) => sum + ticks, 0);
    return {
      cpuSeconds: (this.ticks() - this.before) / TICKS_PER_SECOND,
      toolCpuSeconds: tools / TICKS_PER_SECOND,
      peakRssBytes: this.peakRssBytes,
    };
  }
}
