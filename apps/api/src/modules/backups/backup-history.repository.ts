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

/** Ids, newest first: what an index of the filter holds, in its order. */
const idsOf = (tx: Tx, workspaceId: string, query: HistoryQueryDto): SelectQueryBuilder<BackupRow> =>
  filtered(tx, workspaceId, query).select('backup.id', 'id').orderBy('backup.startedAt', 'DESC').addOrderBy('backup.id', 'DESC');

/** Newest first. Which rows a page has is read from an index alone, so that pages far back are cheap as well; then those rows are read. */
export const findHistory = (
  tx: Tx,
  workspaceId: string,
  query: HistoryQueryDto,
  { skip, take }: { readonly skip: number; readonly take: number },
): Promise<BackupRow[]> => {
  const page = idsOf(tx, workspaceId, query).offset(skip).limit(take);
  return tx
    .createQueryBuilder(BackupRow, 'shown')
    .where(`shown.id IN (${page.getQuery()})`)
    .setParameters(page.getParameters())
    .orderBy('shown.startedAt', 'DESC')
    .addOrderBy('shown.id', 'DESC')
    .getMany();
};

/** Stops at `limit`: counting millions would take longer than anybody waits. In the order of the index, so that it is the index that is counted. */
export const countHistory = async (tx: Tx, workspaceId: string, query: HistoryQueryDto, limit: number): Promise<number> => {
  const [sql, parameters] = idsOf(tx, workspaceId, query).limit(limit).getQueryAndParameters();
  const [row] = await tx.query<{ count: number }[]>(`SELECT count(*)::int AS count FROM (${sql}) counted`, parameters);
  return row?.count ?? 0;
};
