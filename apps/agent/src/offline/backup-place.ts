import type { BackupSource } from '@rahatback/storage/agent';

export const MANIFEST = 'manifest.json';

/** A folder that holds a manifest: one published attempt. */
export interface FoundBackup {
  /** Relative to the place, `/` between its parts; `…/<backup>/<fence>` as the server lays it out. */
  readonly folder: string;
  readonly modifiedAt: Date;
}

/** Files below one folder or prefix, as a restore without a server needs them. */
export interface PlaceFiles {
  /** For people; holds no secret. */
  readonly name: string;
  /** Whether a manifest stands right here. @throws AppError when the place cannot be asked */
  hasManifest(): Promise<boolean>;
  /** The same storage seen from `levels` folders above, and the path from there back to here. Undefined when there is no such folder. */
  above(levels: number): { readonly files: PlaceFiles; readonly path: string } | undefined;
  /** Published attempts below a folder. @throws AppError when it cannot be listed: never an empty list instead */
  attempts(folder: string): AsyncIterable<FoundBackup>;
  source(folder: string): BackupSource;
}
