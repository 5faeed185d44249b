import { AppError } from '@rahatback/contracts';

/** S3 allows 1,024 bytes; the rest is left for the storage's own prefix. */
const MAX_KEY_LENGTH = 600;
const KEY_SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._=+@-]{0,254}$/;
const PREFIX_CHARACTERS = /^[A-Za-z0-9_][A-Za-z0-9._=+@/-]*$/;

const forbidden = (what: string, value: string): AppError =>
  new AppError(
    'PATH_FORBIDDEN',
    `The ${what} ${JSON.stringify(value.slice(0, 100))} is not allowed. Use names of a-z, 0-9, ".", "_" and "-", separated by "/".`,
  );

/**
 * A key is what both drivers can hold and no file system can misread: segments of plain characters, none empty, none starting with a dot.
 * Throws PATH_FORBIDDEN; returns the key.
 */
export function assertObjectKey(key: string): string {
  if (key.length === 0 || key.length > MAX_KEY_LENGTH || !key.split('/').every((segment) => KEY_SEGMENT.test(segment))) {
    throw forbidden('object name', key);
  }
  return key;
}

/** A key's beginning, cut anywhere; the empty prefix means everything. Throws PATH_FORBIDDEN. */
export function assertKeyPrefix(prefix: string): string {
  if (prefix === '') return prefix;
  const segments = prefix.split('/');
  const hasBadSegment = segments.some(
    (segment, index) => segment.startsWith('.') || (segment === '' && index < segments.length - 1),
  );
  if (prefix.length > MAX_KEY_LENGTH || !PREFIX_CHARACTERS.test(prefix) || hasBadSegment) throw forbidden('prefix', prefix);
  return prefix;
}

/**
 * What a person types as folder or prefix of a storage: relative, any letters, no empty, hidden, `.` or `..` segment, no control character
 * or backslash. Outer slashes of a prefix are dropped by the caller. Throws PATH_FORBIDDEN.
 */
export function assertFolderName(folder: string): string {
  const isBad = (segment: string): boolean =>
    segment === '' || segment.startsWith('.') || segment.trim() !== segment || Buffer.byteLength(segment) > 255;
  if (Buffer.byteLength(folder) > 400 || /[\u0000-\u001f\u007f\\]/.test(folder) || folder.split('/').some(isBad)) {
    throw new AppError(
      'PATH_FORBIDDEN',
      `The folder ${JSON.stringify(folder.slice(0, 100))} is not allowed. Give a path below the storage root, without "..", hidden or empty parts.`,
    );
  }
  return folder;
}
