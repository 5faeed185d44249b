import { readFile } from 'node:fs/promises';
import type { AgentHome } from '../state/agent-home.js';
import { isMissing } from '../state/atomic-file.js';
import { replayJournal } from './journal-line.js';
import { asRecord } from './journal-record.js';
import { JournalState, type CommandEntry } from './journal-state.js';

/** Looks into the journal without owning it: a daemon may be writing at the same moment, so a torn end is simply not there yet. */
export async function readJournalEntries(home: AgentHome): Promise<CommandEntry[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(home.journalFile);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  const state = new JournalState();
  for (const value of replayJournal(bytes).records) {
    const record = asRecord(value);
    if (record !== undefined) state.apply(record);
  }
  return [...state.entries.values()];
}
