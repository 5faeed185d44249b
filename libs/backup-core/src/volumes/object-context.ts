import { associatedData, FORMAT } from '@rahatback/crypto';

/** What all objects of one backup have in common in their associated data. */
export interface BackupContext {
  readonly workspaceId: string;
  readonly databaseId: string;
  readonly backupId: string;
  readonly engine: string;
  readonly dumpFormat: string;
  readonly compression: string;
}

export const INDEX_OBJECT = 'index';
export const MANIFEST_OBJECT = 'manifest.json';
export const keysObject = (generation: number): string => `keys-${generation}.json`;
export const volumeObject = (volume: number): string => `data-${String(volume).padStart(5, '0')}`;

/** `volume` counts from 1 for data; the index has 0. */
export const objectAssociatedData = (context: BackupContext, object: string, volume: number): Buffer =>
  associatedData({
    format: FORMAT,
    workspace: context.workspaceId,
    database: context.databaseId,
    backupId: context.backupId,
    object,
    volume,
    engine: context.engine,
    dumpFormat: context.dumpFormat,
    compression: context.compression,
  });
