import type { BackupProgressView, VerificationQueryDto } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import type { QueryDeepPartialEntity, SelectQueryBuilder } from 'typeorm';
import { In } from 'typeorm';
import type { Tx } from '../../platform/database/database.js';
import { AgentRow } from '../agents/index.js';
import type { VerificationEventName } from './verification-states.js';
import { verificationMove } from './verification-states.js';
import { VerificationRow } from './verification.entity.js';

type Change = QueryDeepPartialEntity<VerificationRow>;
/** TypeORM's own type does not take a record of unknown values, which evidence is. */
export type VerificationChange = Omit<Change, 'checks'> & Partial<Pick<VerificationRow, 'checks'>>;

const DB_NOW = (): string => 'clock_timestamp()';

const notFound = (): AppError =>
  new AppError('NOT_FOUND', 'There is no such verification in this workspace. Look at the list of verifications.');

/** One at a time reads a backup. */
export const verificationResource = (backupId: string): string => `verification:${backupId}`;

export const getVerification = async (tx: Tx, workspaceId: string, id: string): Promise<VerificationRow> => {
  const verification = await tx.findOneBy(VerificationRow, { id, workspaceId });
  if (verification === null) throw notFound();
  return verification;
};

export const lockVerification = async (tx: Tx, workspaceId: string, id: string): Promise<VerificationRow> => {
  const verification = await tx.findOne(VerificationRow, { where: { id, workspaceId }, lock: { mode: 'pessimistic_write' } });
  if (verification === null) throw notFound();
  return verification;
};

/** Null when another process is at it. */
export const tryLockVerification = (tx: Tx, id: string): Promise<VerificationRow | null> =>
  tx.findOne(VerificationRow, { where: { id }, lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' } });

export const findVerificationOfCommand = (tx: Tx, commandId: string): Promise<VerificationRow | null> =>
  tx.findOneBy(VerificationRow, { commandId });

/** Locks at once or fails: for callers that hold the command's row already, and must not wait for somebody who waits for that. */
export const lockVerificationOfCommand = (tx: Tx, commandId: string, wait: boolean): Promise<VerificationRow | null> =>
  tx.findOne(VerificationRow, {
    where: { commandId },
    lock: wait ? { mode: 'pessimistic_write' } : { mode: 'pessimistic_write', onLocked: 'nowait' },
  });

export const insertVerification = async (tx: Tx, verification: VerificationChange): Promise<void> => {
  await tx.insert(VerificationRow, verification as Change);
};

/** Moves a row by its transition table, once, under its fence. @returns whether this call moved it */
export const moveVerification = async (
  tx: Tx,
  verification: VerificationRow,
  event: VerificationEventName,
  change: VerificationChange,
): Promise<boolean> => {
  const { from, to } = verificationMove(event);
  const update = await tx
    .createQueryBuilder()
    .update(VerificationRow)
    .set({ ...(change as Change), status: to, completedAt: DB_NOW, progress: null })
    .where('id = :id AND fence = :fence AND status = :from', { id: verification.id, fence: verification.fence, from })
    .execute();
  return update.affected === 1;
};

/** One statement, because progress comes often. Null for one that has ended or is not this agent's. */
export const saveVerificationProgress = async (
  tx: Tx,
  target: { readonly commandId: string; readonly fence: number; readonly agentId: string },
  progress: BackupProgressView,
): Promise<{ id: string; backupId: string } | null> => {
  const rows = await tx.query<{ id: string; backupId: string }[]>(
    `WITH moved AS (
       UPDATE verifications SET progress = $4
       WHERE command_id = $1 AND fence = $2 AND agent_id = $3 AND status = 'PENDING' RETURNING id, backup_id)
     SELECT id, backup_id AS "backupId" FROM moved`,
    [target.commandId, target.fence, target.agentId, JSON.stringify(progress)],
  );
  return rows[0] ?? null;
};

const filtered = (tx: Tx, workspaceId: string, query: VerificationQueryDto): SelectQueryBuilder<VerificationRow> => {
  const builder = tx
    .createQueryBuilder(VerificationRow, 'verification')
    .where('verification.workspaceId = :workspaceId', { workspaceId });
  if (query.status !== undefined) builder.andWhere('verification.status = :status', { status: query.status });
  if (query.backupId !== undefined) builder.andWhere('verification.backupId = :backupId', { backupId: query.backupId });
  if (query.databaseId !== undefined) builder.andWhere('verification.databaseId = :databaseId', { databaseId: query.databaseId });
  return builder;
};

/** What a list leaves out: each may be as large as a frame. */
const ONLY_IN_DETAIL: readonly string[] = ['tables', 'logTail'] satisfies (keyof VerificationRow)[];

/** Newest first, without tables and log. */
export const findVerifications = async (
  tx: Tx,
  workspaceId: string,
  query: VerificationQueryDto,
  { skip, take }: { readonly skip: number; readonly take: number },
): Promise<VerificationRow[]> => {
  const columns = tx.dataSource.getMetadata(VerificationRow).columns.map((column) => column.propertyName);
  const rows = await filtered(tx, workspaceId, query)
    .select(columns.filter((name) => !ONLY_IN_DETAIL.includes(name)).map((name) => `verification.${name}`))
    .orderBy('verification.startedAt', 'DESC')
    .addOrderBy('verification.id', 'DESC')
    .offset(skip)
    .limit(take)
    .getMany();
  return rows.map((row) => ({ ...row, tables: [], logTail: null }));
};

/** Stops at `limit`. */
export const countVerifications = async (
  tx: Tx,
  workspaceId: string,
  query: VerificationQueryDto,
  limit: number,
): Promise<number> => {
  const [sql, parameters] = filtered(tx, workspaceId, query).select('1').limit(limit).getQueryAndParameters();
  const [row] = await tx.query<{ count: number }[]>(`SELECT count(*)::int AS count FROM (${sql}) counted`, parameters);
  return row?.count ?? 0;
};

/** Pending verifications past their time, or without a live lease under their fence. Judged by the database's clock. */
export const findLostVerifications = (tx: Tx, limit: number): Promise<{ id: string; workspaceId: string; late: boolean }[]> =>
  tx.query<{ id: string; workspaceId: string; late: boolean }[]>(
    `SELECT v.id, v.workspace_id AS "workspaceId", v.deadline_at < clock_timestamp() AS late FROM verifications v
     LEFT JOIN leases l ON l.resource = 'verification:' || v.backup_id AND l.fence = v.fence
       AND l.holder IS NOT NULL AND l.expires_at >= clock_timestamp()
     WHERE v.status = 'PENDING' AND (l.resource IS NULL OR v.deadline_at < clock_timestamp())
     ORDER BY v.started_at LIMIT $1`,
    [limit],
  );

export const addVerificationStep = async (
  tx: Tx,
  verification: VerificationRow,
  step: { name: string; at: string; detail?: string },
): Promise<void> => {
  await tx
    .createQueryBuilder()
    .update(VerificationRow)
    .set({ steps: () => 'steps || :step::jsonb' })
    .where('id = :id AND fence = :fence', { id: verification.id, fence: verification.fence })
    .setParameter('step', JSON.stringify([step]))
    .execute();
};

/** Keeps what an agent says about a verification that was ended without its word; the first word stays. */
export const keepLateVerificationWords = async (
  tx: Tx,
  verification: VerificationRow,
  words: VerificationChange,
): Promise<void> => {
  await tx
    .createQueryBuilder()
    .update(VerificationRow)
    .set(words as Change)
    .where('id = :id AND log_tail IS NULL', { id: verification.id })
    .execute();
};

/** Read once for a whole page of verifications. */
export const agentsOf = (tx: Tx, verifications: readonly VerificationRow[]): Promise<AgentRow[]> =>
  tx.findBy(AgentRow, { id: In([...new Set(verifications.map((verification) => verification.agentId))]) });
