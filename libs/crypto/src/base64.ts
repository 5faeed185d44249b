/** RFC 4648 base64 (padded) of any byte view, without copying it first. */
export const toBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

/**
 * Strict inverse of `toBase64`. `Buffer.from` skips what it does not know, so two texts could mean the same bytes; here only the
 * one canonical spelling is taken. Answers null for anything else, and when `sizeBytes` is given and does not match.
 */
export const fromBase64 = (text: unknown, sizeBytes?: number): Buffer | null => {
  if (typeof text !== 'string') return null;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return null;
  return sizeBytes === undefined || bytes.length === sizeBytes ? bytes : null;
};
