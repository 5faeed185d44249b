import type { QueryRunner } from 'typeorm';

/** From the moment in which a key is retired, a column refuses what is sealed by it, also from a process that has not heard of it yet. */
export async function guardSealedColumns(
  runner: QueryRunner,
  columns: readonly { readonly table: string; readonly column: string }[],
): Promise<void> {
  for (const { table, column } of columns) {
    await runner.query(
      `CREATE TRIGGER refuse_retired_key_${column} BEFORE INSERT OR UPDATE OF ${column} ON ${table}
       FOR EACH ROW EXECUTE FUNCTION refuse_retired_key('${column}')`,
    );
  }
}
