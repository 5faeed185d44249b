import { S3Backend, withRetry, type S3BackendConfig, type StorageBackend } from '@rahatback/storage';
import { BackendSource, type BackupSource } from '@rahatback/storage/agent';
import { MANIFEST, type FoundBackup, type PlaceFiles } from './backup-place.js';

/** Backups in an S3 bucket, read with keys that the person at this machine holds. */
export class BucketFiles implements PlaceFiles {
  readonly #config: S3BackendConfig;
  readonly #backend: StorageBackend;

  /** @throws AppError PATH_FORBIDDEN for a prefix that is none */
  constructor(config: S3BackendConfig) {
    this.#config = config;
    this.#backend = withRetry(new S3Backend(config));
  }

  get name(): string {
    return `s3://${this.#config.bucket}/${this.#config.prefix ?? ''}`;
  }

  async hasManifest(): Promise<boolean> {
    return (await this.#backend.stat(MANIFEST)) !== undefined;
  }

  above(levels: number): { files: PlaceFiles; path: string } | undefined {
    const parts = (this.#config.prefix ?? '').split('/').filter((part) => part !== '');
    if (parts.length < levels) return undefined;
    const prefix = parts.slice(0, -levels).join('/');
    return { files: new BucketFiles({ ...this.#config, prefix }), path: parts.slice(-levels).join('/') };
  }

  async *attempts(folder: string): AsyncGenerator<FoundBackup> {
    const suffix = `/${MANIFEST}`;
    for await (const { key, modifiedAt } of this.#below(folder).list('')) {
      if (key.endsWith(suffix)) yield { folder: joined(folder, key.slice(0, -suffix.length)), modifiedAt };
    }
  }

  source(folder: string): BackupSource {
    return new BackendSource(this.#below(folder), '');
  }

  /** A prefix may hold letters that a key of ours may not: what a person put above the backups is made part of the prefix. */
  #below(folder: string): StorageBackend {
    if (folder === '') return this.#backend;
    return withRetry(new S3Backend({ ...this.#config, prefix: joined(this.#config.prefix ?? '', folder) }));
  }
}

const joined = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('/');
