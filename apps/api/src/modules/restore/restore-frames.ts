import type { TableComparison } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { fieldsOf, textOf } from '../backups/index.js';

const MAX_TABLES = 100_000;

const rowsOf = (value: unknown): number => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new AppError('WS_BAD_FRAME', 'The message is not understood: a table needs its row counts.');
};

/** A table is equal only when the agent says so and both row counts agree. */
export const tablesOf = (message: unknown): readonly TableComparison[] => {
  const { tables } = fieldsOf(message);
  if (!Array.isArray(tables) || tables.length > MAX_TABLES) {
    throw new AppError('WS_BAD_FRAME', 'The message is not understood: tables must be a list.');
  }
  return tables.map((table) => {
    const fields = fieldsOf(table);
    const rows = rowsOf(fields['rows']);
    const restoredRows = rowsOf(fields['restoredRows']);
    return {
      schema: textOf(fields['schema'], 'schema', 200),
      table: textOf(fields['table'], 'table', 200),
      rows,
      restoredRows,
      equal: fields['equal'] === true && rows === restoredRows,
    };
  });
};
