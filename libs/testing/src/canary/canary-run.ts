import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { CanarySet, uniqueHits, type CanaryHit } from './canary.js';
import { scanFiles } from './file-scan.js';
import { canaryFolder, canaryMark, markFile, newCanaryMark } from './test-secret.js';

/** Where a clear secret could come out. */
export const CANARY_CHANNELS = ['argv', 'redis', 'logs', 'files', 'answers', 'frames'] as const;
export type CanaryChannel = (typeof CANARY_CHANNELS)[number];

interface Finding {
  readonly channel: CanaryChannel;
  /** How many things were looked at: processes, commands and keys, lines, files, answers, frames. */
  readonly seen: number;
  readonly hits: readonly CanaryHit[];
}

export interface CanarySummary {
  readonly channel: CanaryChannel;
  readonly seen: number;
  readonly hits: readonly CanaryHit[];
}

/** Folders whose files may know a secret: the data of the servers that check it, key folders, and what a person's own files present. */
const KNOWS_SECRETS = /^(rahatback-pg-|rahatback-rgw-|keys$|presented$)/;
export const knowsSecrets = (folderName: string): boolean => KNOWS_SECRETS.test(folderName);

/**
 * One watch over all processes of a test run. Whoever sees bytes go by hands them in; what was found is added to a file in the run's folder, which
 * the runner reads at the end. Without a run everything here does nothing.
 */
export class CanaryRun {
  /** For text: tokens too. */
  readonly inText = new CanarySet({ tokens: true });
  /** For bulk data, and for what issues or presents tokens. */
  readonly byMark = new CanarySet();
  private readonly pending = new Map<CanaryChannel, { seen: number; hits: CanaryHit[] }>();

  private constructor(
    private readonly folder: string,
    mark: string,
  ) {
    for (const set of [this.inText, this.byMark]) set.watch({ kind: 'secret of this run', value: mark });
  }

  /** Makes the folder of a new run; children find it by RAHAT_CANARIES. */
  static begin(folder: string): CanaryRun {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const mark = newCanaryMark();
    writeFileSync(markFile(folder), mark, { mode: 0o600 });
    return new CanaryRun(folder, mark);
  }

  /** The run that this process belongs to; undefined outside of one. */
  static current(): CanaryRun | undefined {
    const folder = canaryFolder();
    return folder === undefined ? undefined : (current ??= new CanaryRun(folder, canaryMark()));
  }

  /** Looks at one thing that went by. */
  look(channel: CanaryChannel, content: Buffer | string, place: string, set: CanarySet = this.inText): void {
    this.add(channel, 1, set.find(content, place));
  }

  /** Names and contents of all files below a folder which is about to go. */
  async lookInFolder(folder: string, name: string): Promise<void> {
    if (knowsSecrets(name)) return;
    let files = 0;
    const isExempt = (path: string): boolean => relative(folder, path).split(sep).some(knowsSecrets);
    const hits = await scanFiles(this.byMark, [folder], isExempt, () => (files += 1));
    this.add('files', files, hits);
  }

  add(channel: CanaryChannel, seen: number, hits: readonly CanaryHit[]): void {
    const entry = this.pending.get(channel) ?? { seen: 0, hits: [] };
    entry.seen += seen;
    if (hits.length > 0) entry.hits = uniqueHits([...entry.hits, ...hits]);
    this.pending.set(channel, entry);
  }

  /** Writes down what was seen since the last time. Whoever watches calls it when the watched thing ends. */
  flush(): void {
    const lines = [...this.pending].map(([channel, { seen, hits }]) => JSON.stringify({ channel, seen, hits } satisfies Finding));
    this.pending.clear();
    if (lines.length > 0) appendFileSync(join(this.folder, 'findings.jsonl'), `${lines.join('\n')}\n`, { mode: 0o600 });
  }

  /** What all processes of the run have found, every channel once. */
  summary(): CanarySummary[] {
    this.flush();
    const findings = readFindings(join(this.folder, 'findings.jsonl'));
    return CANARY_CHANNELS.map((channel) => {
      const own = findings.filter((finding) => finding.channel === channel);
      return {
        channel,
        seen: own.reduce((sum, { seen }) => sum + seen, 0),
        hits: uniqueHits(own.flatMap(({ hits }) => hits)),
      };
    });
  }
}

let current: CanaryRun | undefined;

function readFindings(path: string): Finding[] {
  try {
    const lines = readFileSync(path, 'utf8').trim().split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Finding);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
