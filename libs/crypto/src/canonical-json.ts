import serialize from 'canonicalize';

/** Version 1 of the backup format, as it stands in every signed or authenticated context. */
export const FORMAT = 'rahatback/1';

/** False for a text with half of a surrogate pair: as UTF-8 it would be U+FFFD, and so the same as another text. */
export const isWellFormed = (text: string): boolean => !/\p{Cs}/u.test(text);

/**
 * RFC 8785 (JCS) bytes of a JSON value: the same value gives the same bytes in every language. Members that are `undefined` are left
 * out, as JSON does. Throws TypeError for what JSON cannot hold (NaN, lone surrogates, cycles, `undefined` itself).
 */
export const canonicalJson = (value: unknown): Buffer => {
  let text: string | undefined;
  try {
    text = serialize(value);
  } catch (cause) {
    throw new TypeError('This value has no canonical JSON form.', { cause });
  }
  if (text === undefined) throw new TypeError('This value has no canonical JSON form.');
  return Buffer.from(text, 'utf8');
};

/** What one encrypted object is. `volume` counts from 1 for data and is 0 for objects that have no volumes. */
export interface ObjectContext {
  readonly format: string;
  readonly workspace: string;
  readonly database: string;
  readonly backupId: string;
  readonly object: string;
  readonly volume: number;
  readonly engine: string;
  readonly dumpFormat: string;
  readonly compression: string;
}

/**
 * The Tink `associated_data` of one object: exactly these nine members, so that an object cannot be passed off as one of another
 * backup, volume or tenant, and a field added to the caller's type cannot change old data. At most 1,024 bytes (node:crypto's limit
 * for HKDF info; eight ids and names are about 350).
 */
export const associatedData = (context: ObjectContext): Buffer => {
  const { format, workspace, database, backupId, object, volume, engine, dumpFormat, compression } = context;
  return canonicalJson({ format, workspace, database, backupId, object, volume, engine, dumpFormat, compression });
};
