import type { CommandEnvelope } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { failureResult } from '../commands/executor.js';
import type { CommandJournal } from '../journal/command-journal.js';
import type { ChildProcess, RecordedResult, ResultEvent } from '../journal/journal-record.js';
import { isEnded, isRepeatable, type CommandEntry } from '../journal/journal-state.js';
import type { AgentLog } from '../log.js';

export interface InterruptedWork {
  readonly journal: CommandJournal;
  readonly log: AgentLog;
  /** Ends a child of the former process, if it is still that child. @returns whether it was */
  readonly killChild: (child: ChildProcess) => boolean;
  /** Whether the database of a restore that was compared before the crash stands under its name. Must not throw for a server that is away. */
  readonly isRestored: (entry: CommandEntry) => Promise<boolean>;
  /**
   * What a command left on this agent's own disk: kept when it got its name, with the event to send the prepared report as, else removed. Must not throw.
   */
  readonly settleFiles: (entry: CommandEntry) => Promise<ResultEvent | null>;
  /** Removes what a crashed restore left in the database server. Must not throw for a server that is away. */
  readonly dropStaging: (entry: CommandEntry) => Promise<void>;
  /** Gives connections back that an interrupted swap had blocked. Must not throw for a server that is away. */
  readonly reopen: (entry: CommandEntry) => Promise<void>;
}

const restarted = (): AppError =>
  new AppError(
    'AGENT_RESTARTED',
    'The agent restarted while this was running. What it had begun was cleaned up; start it again.',
  );

const isCancel = (entry: CommandEntry): boolean => entry.target !== null;

async function settleRunning(entry: CommandEntry, work: InterruptedWork): Promise<void> {
  const killed = entry.processes.filter((child) => work.killChild(child)).length;
  if (entry.published !== null) {
    const result: RecordedResult = { event: 'backup:completed', message: entry.published };
    await work.journal.ended(entry.id, 'succeeded', result);
    work.log.info({ commandId: entry.id, killed }, 'A backup had been published before the restart: it is reported as completed');
    return;
  }
  if (entry.prepared !== null && entry.type === 'restore:execute' && (await work.isRestored(entry))) {
    await work.journal.ended(entry.id, 'succeeded', { event: 'restore:completed', message: entry.prepared });
    work.log.info({ commandId: entry.id, killed }, 'A restore had got its name before the restart: it is reported as completed');
    return;
  }
  const event = await work.settleFiles(entry);
  if (entry.prepared !== null && event !== null) {
    await work.journal.ended(entry.id, 'succeeded', { event, message: entry.prepared });
    work.log.info(
      { commandId: entry.id, killed },
      'Its files had got their names before the restart: it is reported as completed',
    );
    return;
  }
  if (entry.type === 'restore:execute') await work.dropStaging(entry);
  const command: Pick<CommandEnvelope, 'commandId' | 'fence' | 'type'> = {
    commandId: entry.id,
    fence: entry.fence,
    type: entry.type,
  };
  await work.journal.ended(entry.id, 'failed', failureResult(command, restarted()));
  work.log.warn(
    { commandId: entry.id, type: entry.type, killed },
    'A command was running when the agent ended: it is reported as failed',
  );
}

/**
 * What the former process left behind: children are killed, staging databases dropped, and each command that was running is settled in the
 * journal. Run it before the first connection. @returns the commands to run: accepted and not begun, or repeatable
 */
export async function settleInterrupted(work: InterruptedWork): Promise<CommandEntry[]> {
  const open = work.journal.open().filter((entry) => !isEnded(entry));
  for (const entry of open) {
    if (isCancel(entry)) {
      await work.journal.ended(entry.id, 'succeeded', null);
      await work.journal.confirmed(entry.id);
    } else if (entry.state === 'running') {
      await (isRepeatable(entry.type) ? work.reopen(entry) : settleRunning(entry, work));
    }
  }
  return open.filter((entry) => !isCancel(entry) && (entry.state === 'accepted' || isRepeatable(entry.type)));
}
