/** One table's data in the dump. `bytes` and `rows` are of its COPY text. */
export interface TableFacts {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly bytes: number;
}

export interface SequenceFacts {
  /** As the dump writes it, quoted where needed: `public.orders_id_seq`. */
  readonly name: string;
  readonly value: string;
  readonly called: boolean;
}

export interface LargeObjectFacts {
  readonly count: number;
  readonly bytes: number;
}

/** `type` in pg_dump's own words: TABLE, VIEW, INDEX, FK CONSTRAINT, … */
export interface SchemaObject {
  readonly type: string;
  readonly schema: string;
  readonly name: string;
}

/**
 * What a PostgreSQL dump holds, taken from the stream while it was made; the source is not asked a second time. Kept encrypted in the index,
 * never in the manifest. What the stream does not tell (the database's locale and settings) comes from the probe, in `database`.
 */
export interface DumpFacts {
  readonly engine: 'postgresql';
  readonly dumpFormat: 'plain';
  /** From the dump's head; null when it does not say. */
  readonly serverVersion: string | null;
  readonly toolVersion: string | null;
  readonly encoding: string | null;
  readonly extensions: readonly string[];
  /** Roles that owners and grants name, without PUBLIC. */
  readonly roles: readonly string[];
  readonly largeObjects: LargeObjectFacts;
  readonly tables: readonly TableFacts[];
  readonly sequences: readonly SequenceFacts[];
  readonly objects: readonly SchemaObject[];
  readonly database: DatabaseTraits | null;
}

/** What CREATE DATABASE needs to make a database like the source. */
export interface DatabaseTraits {
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  readonly provider: 'libc' | 'icu' | 'builtin';
  readonly icuLocale: string | null;
  /** Rules of collation beside the ICU locale's own, since PostgreSQL 16. */
  readonly icuRules?: string | null;
  /** `name=value` of ALTER DATABASE … SET. */
  readonly settings: readonly string[];
}
