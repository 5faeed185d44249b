import type { AppError } from '@rahatback/contracts';
import type { OpenBackup } from '../restore/open-backup.js';
import { dumpBytes } from '../restore/read-dump.js';
import { stopwatch } from './check-list.js';
import { damageOf, evidenceOf, segmentOf } from './damage.js';
import { DumpContents } from './dump-contents.js';
import type { TrialRestore } from './trial-restore.js';
import type { VerificationContext } from './verification-context.js';

/**
 * Reads the whole dump once: decrypts and decodes all of it, and lets its contents be judged and restored on the way. Judges `segments`, `frames`,
 * `contents`, `schema`, `metadata` and, with a trial, those of FULL. @throws what is not about the backup: a storage that is away, a cancel
 */
export async function readStoredDump(
  context: VerificationContext,
  backup: OpenBackup,
  trial: TrialRestore | null,
): Promise<void> {
  const { request, progress } = context;
  const took = stopwatch();
  const contents = request.level === 'BASIC' ? null : new DumpContents(request.engine.restoreFeed(trial?.tools ?? null), trial);
  if (!trial) progress.begin('read');
  progress.startFlow();
  await contents?.begin();
  const damage = await readThrough(context, backup, contents);
  if (damage) {
    judgeDamage(context, damage, took());
    await trial?.abandon('It was not restored, because the stored data is damaged.');
  } else {
    judgeWhole(context, backup, took());
    await contents?.finish();
  }
  contents?.judge(context, backup.facts);
  if (trial && contents?.digests) await trial.finish(contents.digests);
}

async function readThrough(
  { request, progress }: VerificationContext,
  backup: OpenBackup,
  contents: DumpContents | null,
): Promise<AppError | null> {
  try {
    for await (const bytes of dumpBytes(backup)) {
      request.signal.throwIfAborted();
      await contents?.push(bytes);
      progress.add(bytes.length);
    }
    return null;
  } catch (error) {
    request.signal.throwIfAborted();
    return damageOf(error);
  }
}

/** What stands in a damaged place, or behind it, was not seen. */
export function judgeDamage({ checks }: VerificationContext, damage: AppError, durationMs: number): void {
  const isOfBytes = segmentOf(damage) !== null || damage.code !== 'DATA_CORRUPT';
  const name = isOfBytes ? 'segments' : 'frames';
  checks.failed(name, damage.message, evidenceOf(damage), durationMs);
  checks.skipRest(['segments', 'frames'], 'It was judged only up to the first damaged place.');
}

function judgeWhole({ checks }: VerificationContext, { link, links, end }: OpenBackup, durationMs: number): void {
  const { manifest } = link;
  const segments = [manifest.index, ...manifest.volumes].reduce((sum, record) => sum + record.segments, 0);
  const pointsInto = links.filter((found) => found !== null).length;
  checks.passed('segments', 'Every encryption segment that the dump needs is authentic.', { segments, pointsInto }, durationMs);
  const evidence = { dumpBytes: end.bytes, chunks: end.chunks, compression: manifest.compression, sha256: end.sha256 };
  checks.passed('frames', 'Every frame decodes, every chunk and the dump as a whole have their SHA-256.', evidence, durationMs);
}
