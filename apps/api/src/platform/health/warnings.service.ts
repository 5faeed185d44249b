import { Injectable, Logger } from '@nestjs/common';

/** Says what is wrong, in numbers and without names of tenants; undefined while nothing is. */
export type WarningReader = () => Promise<string | undefined>;

/**
 * What a person must look into although this process goes on serving. Readiness shows it to everybody; the log says when it began and when it
 * was over.
 */
@Injectable()
export class Warnings {
  private readonly log = new Logger(Warnings.name);
  private readonly readers = new Map<string, WarningReader>();
  private readonly raised = new Set<string>();

  /** Modules register at start, each under a name of its own. */
  watch(name: string, read: WarningReader): void {
    this.readers.set(name, read);
  }

  /** Asks all readers. One that fails says nothing: what it could not reach is a matter of readiness itself. */
  async current(): Promise<string[]> {
    const texts = await Promise.all(
      [...this.readers].map(async ([name, read]) => {
        const text = await read().catch(() => null);
        if (text !== null) this.note(name, text);
        return text ?? [];
      }),
    );
    return texts.flat();
  }

  private note(name: string, text: string | undefined): void {
    if (text !== undefined && !this.raised.has(name)) {
      this.raised.add(name);
      this.log.error({ warning: name }, text);
    } else if (text === undefined && this.raised.delete(name)) this.log.log({ warning: name }, 'The warning is over.');
  }
}
