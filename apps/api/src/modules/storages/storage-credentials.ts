import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { isCryptoError, openField, sealField, type FieldRef } from '@rahatback/crypto';
import { ServerKeys } from '../../platform/keys/server-keys.js';

export interface StorageCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface StorageRef {
  readonly id: string;
  readonly workspaceId: string;
}

/** Bound to row, column and workspace: a sealed text that is copied elsewhere opens nothing. */
const placeOf = ({ id, workspaceId }: StorageRef): FieldRef => ({
  table: 'storages',
  column: 'credentials',
  rowId: id,
  workspaceId,
});

/** Cloud keys at rest: sealed with the server's key-encryption key, which PostgreSQL never sees. */
@Injectable()
export class CredentialVault {
  constructor(private readonly keys: ServerKeys) {}

  seal(storage: StorageRef, credentials: StorageCredentials): string {
    return sealField(this.keys.kek, placeOf(storage), JSON.stringify(credentials));
  }

  /** @throws AppError S3_CREDENTIALS when they cannot be opened with the keys that this server has */
  open(storage: StorageRef, sealed: string): StorageCredentials {
    try {
      return JSON.parse(openField(this.keys.kek, placeOf(storage), sealed).toString('utf8')) as StorageCredentials;
    } catch (error) {
      if (!isCryptoError(error)) throw error;
      throw new AppError(
        'S3_CREDENTIALS',
        'The keys of this storage cannot be opened with the server keys that are loaded. Put the keys folder back, or enter the keys again.',
        { storageId: storage.id },
        { cause: error },
      );
    }
  }
}
