import type { HistoryQueryDto } from '@rahatback/contracts';
import type { SelectQueryBuilder } from 'typeorm';
import type { Tx } from '../../platform/database/database.js';
import { BackupRow } from './backup.entity.js';

const filtered = (tx: Tx, workspaceId: string, query: HistoryQueryDto): SelectQueryBuilder<BackupRow> => {
  const builder = tx
    .createQueryBuilder(BackupRow, 'backup')
    .where('backup.workspaceId = :workspaceId AND backup.deletedAt IS NULL', { workspaceId });
  if (query.status !== undefined) builder.andWhere('backup.status = :status', { status: query.status });
  if (query.databaseId !== undefined) builder.andWhere('backup.databaseId = :databaseId', { databaseId: query.databaseId });
  if (query.jobId !== undefined) builder.andWhere('backup.jobId = :jobId', { jobId: query.jobId });
  if (query.backupType !== undefined) builder.andWhere('backup.backupType = :type', { type: query.backupType });
  if (query.verificationStatus === 'none') builder.andWhere('backup.verificationStatus IS NULL');
  else if (query.verificationStatus !== undefined)
    builder.andWhere('backup.verificationStatus = :verification', { verification: query.verificationStatus });
  if (query.from !== undefined) builder.andWhere('backup.startedAt >= :from', { from: new Date(query.from) });
  if (query.to !== undefined) builder.andWhere('backup.startedAt < :to', { to: new Date(query.to) });
  return builder;
};

/** Newest first. */
export const findHistory = (
  tx: Tx,
  workspaceId: string,
  query: HistoryQueryDto,
  { skip, take }: { readonly skip: number; readonly take: number },
): Promise<BackupRow[]> =>
  filtered(tx, workspaceId, query)
    .orderBy('backup.startedAt', 'DESC')
    .addOrderBy('backup.id', 'DESC')
    .offset(skip)
    .limit(take)
    .getMany();

/** Stops at `limit`: counting millions would take longer than anybody waits. */
export const countHistory = async (tx: Tx, workspaceId: string, query: HistoryQueryDto, limit: number): Promise<number> => {
  const [sql, parameters] = filtered(tx, workspaceId, query).select('1').limit(limit).getQueryAndParameters();
  const [row] = await tx.query<{ count: number }[]>(`SELECT count(*)::int AS count FROM (${sql}) counted`, parameters);
  return row?.count ?? 0;
};
