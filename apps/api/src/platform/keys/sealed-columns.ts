/** One column whose texts are made by `sealField` of libs/crypto. `id`: the column that names the row in its FieldRef. */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  readonly id: string;
}

/**
 * Every column that holds secrets under the server's key-encryption key; each table has a `workspace_id`. A new one is added here and gets its
 * trigger in the migration that makes it (`guardSealedColumns`); a test holds code, list and triggers equal.
 */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  { table: 'storages', column: 'credentials', id: 'id' },
  { table: 'totp_factors', column: 'secret', id: 'user_id' },
];
