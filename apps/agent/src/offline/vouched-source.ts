import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { MANIFEST_MAX_BYTES, parseManifest, serializeManifest, signAsAgent } from '@rahatback/backup-core';
import { AppError } from '@rahatback/contracts';
import type { BackupSource, SourceRange } from '@rahatback/storage/agent';
import { MANIFEST } from './backup-place.js';

/**
 * A source whose manifest a person vouches for, because nobody has the signer's key any more: the manifest is signed anew with a key that lives
 * only in this process. Everything below the manifest is still checked as ever: digests, encryption, commitment.
 */
export class VouchedSource implements BackupSource {
  #manifest: Promise<Buffer> | undefined;

  constructor(
    private readonly source: BackupSource,
    private readonly signingPrivateKey: string,
  ) {}

  async stat(object: string): Promise<{ sizeBytes: number }> {
    return object === MANIFEST ? { sizeBytes: (await this.#resigned()).length } : this.source.stat(object);
  }

  async read(object: string, range?: SourceRange): Promise<Readable> {
    if (object !== MANIFEST) return this.source.read(object, range);
    return Readable.from([(await this.#resigned()).subarray(range?.start ?? 0, range?.end)]);
  }

  #resigned(): Promise<Buffer> {
    return (this.#manifest ??= this.#resign());
  }

  async #resign(): Promise<Buffer> {
    const { sizeBytes } = await this.source.stat(MANIFEST);
    if (sizeBytes > MANIFEST_MAX_BYTES) throw new AppError('MANIFEST_INVALID', `${MANIFEST} is too large to be one.`);
    const { signatures: _signatures, ...body } = parseManifest(await buffer(await this.source.read(MANIFEST)));
    return serializeManifest(signAsAgent(body, this.signingPrivateKey));
  }
}
