const KEPT_BYTES = 64 * 1024;
/** Kept beyond that, so that a secret is never cut in two before it is looked for. */
const MARGIN_BYTES = 8 * 1024;
const HIDDEN = '[hidden]';

/** The last 64 KiB of what a program wrote, with secrets taken out. */
export class OutputTail {
  private chunks: Buffer[] = [];
  private sizeBytes = 0;

  /** `secrets` never leave this object, whole or percent-encoded. */
  constructor(private readonly secrets: readonly string[]) {}

  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.sizeBytes += chunk.length;
    // A whole chunk is dropped only when the rest is still enough, so that the tail never gets short.
    for (
      let first = this.chunks[0];
      first && this.sizeBytes - first.length >= KEPT_BYTES + MARGIN_BYTES;
      first = this.chunks[0]
    ) {
      this.sizeBytes -= first.length;
      this.chunks.shift();
    }
  }

  text(): string {
    let text = Buffer.concat(this.chunks).toString('utf8');
    for (const secret of this.secrets) {
      if (secret === '') continue;
      text = text.replaceAll(secret, HIDDEN).replaceAll(encodeURIComponent(secret), HIDDEN);
    }
    return text.slice(-KEPT_BYTES);
  }
}
