import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { AppError } from '@rahatback/contracts';
import { FolderSource, type BackupSource } from '@rahatback/storage/agent';
import { isMissing } from '../state/atomic-file.js';
import { MANIFEST, type FoundBackup, type PlaceFiles } from './backup-place.js';

/** workspace / database / backup / fence, below what a person may have put above. */
const MAX_DEPTH = 8;

const unreadable = (path: string, cause: unknown): AppError =>
  new AppError('VALIDATION', `The folder ${path} cannot be read: check --from and its rights.`, undefined, { cause });

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw unreadable(folder, error);
  }
}

async function* manifestsBelow(folder: string, depth: number): AsyncGenerator<string> {
  for (const entry of await entriesOf(folder)) {
    if (entry.isFile() && entry.name === MANIFEST) yield folder;
    // Links are not followed: they could lead round in a circle, or out.
    const isWorthALook = entry.isDirectory() && !entry.name.startsWith('.') && depth < MAX_DEPTH;
    if (isWorthALook) yield* manifestsBelow(join(folder, entry.name), depth + 1);
  }
}

/** Backups as files: the server's local storage, a copied bucket, or one downloaded backup. */
export class FolderFiles implements PlaceFiles {
  readonly #root: string;

  constructor(path: string) {
    this.#root = resolve(path);
  }

  get name(): string {
    return this.#root;
  }

  async hasManifest(): Promise<boolean> {
    const found = await stat(this.#root).catch((error: unknown) => {
      throw unreadable(this.#root, error);
    });
    if (!found.isDirectory()) throw unreadable(this.#root, undefined);
    return (await entriesOf(this.#root)).some((entry) => entry.name === MANIFEST);
  }

  above(levels: number): { files: PlaceFiles; path: string } | undefined {
    let root = this.#root;
    const path: string[] = [];
    for (let level = 0; level < levels; level += 1) {
      path.unshift(basename(root));
      if (dirname(root) === root) return undefined;
      root = dirname(root);
    }
    return { files: new FolderFiles(root), path: path.join('/') };
  }

  async *attempts(folder: string): AsyncGenerator<FoundBackup> {
    for await (const path of manifestsBelow(this.#path(folder), 0)) {
      const { mtime } = await stat(join(path, MANIFEST));
      yield { folder: relative(this.#root, path).split(sep).join('/'), modifiedAt: mtime };
    }
  }

  source(folder: string): BackupSource {
    return new FolderSource(this.#path(folder));
  }

  #path(folder: string): string {
    return join(this.#root, ...folder.split('/'));
  }
}
