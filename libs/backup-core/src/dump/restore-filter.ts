import { DumpFormError, type DumpHandler, type LinePlace } from './dump-scanner.js';
import { restrictLine } from './facts-collector.js';

const TRANSACTION = /^(begin|start|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b/i;
const END_OF_COPY = Buffer.from('\\.\n');

/**
 * Passes a dump on to psql. A dump is code, so what psql would obey beyond SQL is taken out or refused:
 * - `\restrict` and `\unrestrict` lines are dropped (the restore sends its own with a key that the dump cannot know);
 * - any other meta-command is refused;
 * - the BEGIN and COMMIT that pg_dump writes around large objects are dropped, and any other transaction command refused, because
 *   the whole restore is one transaction.
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
    if (!this.dropped) this.out.push(line);
  }

  statement(sql: string): void {
    if (this.dropped || !TRANSACTION.test(sql)) return;
    throw new DumpFormError('The dump holds a transaction command, which a restore does not run.', this.offset);
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

const isOwnTransaction = (line: Buffer): boolean => {
  if (line.length > 8) return false;
  const text = line.toString('latin1');
  return text === 'BEGIN;\n' || text === 'COMMIT;\n';
};
