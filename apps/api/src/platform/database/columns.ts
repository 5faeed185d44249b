import type { ValueTransformer } from 'typeorm';

/** bigint columns come as text from the driver; ours (bytes, fences, sequences) stay far below 2^53. */
export const bigintAsNumber: ValueTransformer = {
  from: (value: string | number | null): number | null => (value === null ? null : Number(value)),
  to: (value: number | null | undefined): number | null | undefined => value,
};
