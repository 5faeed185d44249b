import type { BackupDetailView, RestoreView, VerificationView } from '@rahatback/contracts';
import type { TableDigest } from './table-digests.js';
import { formatBytes, formatRate, renderTable } from './table.js';

export interface DemoResult {
  readonly backup: BackupDetailView;
  readonly restore: RestoreView;
  readonly verification: VerificationView;
  readonly before: readonly TableDigest[];
  readonly after: readonly TableDigest[];
  readonly progressEvents: number;
}

export interface Verdict {
  readonly ok: boolean;
  readonly text: string;
  /** The last line of `script/demo --check`. */
  readonly json: string;
}

/** A machine without server programs skips the proof, which says nothing against the backup. */
const proofLine = ({ status, reason, checks, tablesEqual, tablesTotal, restoreMs }: VerificationView): string =>
  status === 'PASSED'
    ? `Verified (FULL): ${checks.length} checks passed, ${tablesEqual ?? 0} of ${tablesTotal ?? 0} tables equal after a real restore of ${((restoreMs ?? 0) / 1000).toFixed(1)} s in a throw-away server.`
    : `Verification ${status}: ${reason ?? ''}`;

const mark = (equal: boolean): string => (equal ? 'equal' : 'DIFFERENT');

/** Both opinions must hold: the product's comparison against the dump stream, and the database's own of original and copy. */
export function report(result: DemoResult): Verdict {
  const { backup, restore, before, after } = result;
  const restored = new Map(after.map((table) => [table.table, table]));
  const rows = before.map((table) => {
    const copy = restored.get(table.table);
    return { table, equal: copy !== undefined && copy.rows === table.rows && copy.digest === table.digest };
  });
  const tables = rows.length;
  const tablesEqual = rows.filter(({ equal }) => equal).length;
  const byProduct = restore.tablesTotal !== null && restore.tablesTotal > 0 && restore.tablesTotal === restore.tablesEqual;
  const proved = result.verification.status !== 'FAILED';
  const ok = proved && tablesEqual === tables && tables >= 8 && after.length === tables && byProduct && result.progressEvents > 0;
  const backupSeconds = (backup.durationMs ?? 0) / 1000;
  const restoreSeconds = (restore.durationMs ?? 0) / 1000;
  const size = backup.sizeBytes ?? 0;
  const stored = backup.storedBytes ?? 0;
  const text = [
    renderTable(
      ['table', 'rows', 'size', 'digest'],
      rows.map(({ table, equal }) => [table.table, table.rows.toLocaleString('en'), formatBytes(table.sizeBytes), mark(equal)]),
      [1, 2],
    ),
    '',
    renderTable(
      ['', 'seconds', 'rate', 'bytes'],
      [
        [
          'backup',
          backupSeconds.toFixed(1),
          formatRate(size, backupSeconds),
          `${formatBytes(size)} read, ${formatBytes(stored)} stored`,
        ],
        ['restore', restoreSeconds.toFixed(1), formatRate(size, restoreSeconds), `into ${restore.targetDatabase}`],
      ],
      [1, 2],
    ),
    '',
    `By the database itself: ${tablesEqual} of ${tables} equal. By the product: ${restore.tablesEqual ?? 0} of ${restore.tablesTotal ?? 0} equal.`,
    proofLine(result.verification),
    `${result.progressEvents} live progress events reached the socket.`,
  ].join('\n');
  return { ok, text, json: JSON.stringify({ ok, tables, tablesEqual, backupSeconds, restoreSeconds }) };
}
