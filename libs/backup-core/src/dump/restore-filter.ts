import { DumpFormError, type DumpHandler, type LinePlace } from './dump-scanner.js';
import { restrictLine } from './facts-collector.js';
import { foreignStatement } from './foreign-statements.js';

const TRANSACTION = /^(begin|start|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b/i;
const END_OF_COPY = Buffer.from('\\.\n');

/**
 * Passes a dump on to psql. A dump is code, so what psql would obey beyond SQL is taken out or refused:
 * - `\restrict` and `\unrestrict` lines are dropped (the restore sends its own with a key that the dump cannot know);
 * - any other meta-command is refused;
 * - after a colon that psql would take for a variable, as in the array slice `[1:"HOST"]`, comes a space: to SQL that is the same;
 * - a setting that pg_dump writes for servers newer than the source is made only where the server knows it;
 * - the BEGIN and COMMIT that pg_dump writes around large objects are dropped, and any other transaction command refused, because
 *   the whole restore is one transaction;
 * - any statement that pg_dump does not write is refused (`foreignStatement`).
 * @throws DumpFormError naming the place
 */
export class RestoreFilter implements DumpHandler {
  private out: Buffer[] = [];
  private dropped = false;
  private offset = 0;

  line(line: Buffer, { lexed, offset, whole }: LinePlace): void {
    this.offset = offset;
    this.dropped = false;
    if (lexed.metaAt >= 0) {
      if (lexed.metaAt !== 0 || !restrictLine(line)) {
        throw new DumpFormError('The dump holds a psql command, which a restore does not run.', offset);
      }
      return;
    }
    this.dropped = whole && isOwnTransaction(line);
    if (!this.dropped) this.out.push(...withoutVariables(whole ? withKnownSetting(line) : line, lexed.variablesAt));
  }

  statement(sql: string): void {
    if (this.dropped) return;
    const refused = TRANSACTION.test(sql) ? 'a transaction command' : foreignStatement(sql);
    if (refused !== null) throw new DumpFormError(`The dump holds ${refused}, which a restore does not run.`, this.offset);
  }

  copyData(bytes: Buffer): void {
    this.out.push(bytes);
  }

  copyEnd(): void {
    this.out.push(END_OF_COPY);
  }

  /** What has been let through since the last call: mostly views into the pushed buffers. */
  take(): Buffer[] {
    const { out } = this;
    this.out = [];
    return out;
  }
}

/** pg_dump 17 writes it for every server, and servers before 17 refuse it. */
const NEW_SETTING = Buffer.from('SET transaction_timeout = 0;\n');
const NEW_SETTING_IF_KNOWN = Buffer.from(
  "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout';\n",
);
const SPACE = Buffer.from(' ');

const withKnownSetting = (line: Buffer): Buffer => (line.equals(NEW_SETTING) ? NEW_SETTING_IF_KNOWN : line);

function withoutVariables(line: Buffer, variablesAt: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const at of variablesAt) {
    pieces.push(line.subarray(from, at), SPACE);
    from = at;
  }
  return [...pieces, line.subarray(from)];
}

const isOwnTransaction = (line: Buffer): boolean => {
  if (line.length > 8) return false;
  const text = line.toString('latin1');
  return text === 'BEGIN;\n' || text === 'COMMIT;\n';
};
