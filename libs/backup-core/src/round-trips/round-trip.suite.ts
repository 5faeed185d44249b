import { clientBinDir } from '@rahatback/testing';
import { Client } from 'pg';
import type { BackupHarness } from '../backup-harness.suite.js';
import type { BackupResult } from '../backup/backup-request.js';
import type { ClientTools } from '../engine/database-engine.js';
import { postgresEngine } from '../engine/postgres/postgres-engine.js';
import type { RestoreResult } from '../restore/run-restore.js';
import { differing, firstDifference, schemaOf, secondOpinion, type HeldBy } from './second-opinion.suite.js';

export interface RoundTripOptions {
  /** Where it is restored; default the source's own server. */
  readonly target?: BackupHarness;
  readonly dumpTools: ClientTools;
  /** Default: those of the dump. */
  readonly restoreTools?: ClientTools;
  /** The copy's name; it must not be there. */
  readonly copy: string;
}

export interface RoundTrip {
  readonly backup: BackupResult;
  readonly restored: RestoreResult;
  /** What the product compared: tables, and large objects as one of them. */
  readonly tables: number;
  readonly different: readonly string[];
  /** What a computation in SQL found to differ: tables, materialised views, sequences, large objects. */
  readonly secondOpinion: { readonly compared: number; readonly different: readonly string[] };
  /** Null when `pg_dump --schema-only` writes the same for both. */
  readonly schemaDifference: string | null;
}

export async function connected<T>(harness: BackupHarness, database: string, work: (client: Client) => Promise<T>): Promise<T> {
  const { host, port, superuser: user, password } = harness.server;
  const client = new Client({ host, port, user, password, database });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const heldBy = (harness: BackupHarness, database: string): Promise<HeldBy[]> => connected(harness, database, secondOpinion);

/** Backs a database up, restores it beside, and compares the two in three ways. */
export async function roundTrip(source: BackupHarness, database: string, options: RoundTripOptions): Promise<RoundTrip> {
  const { target = source, dumpTools, restoreTools = dumpTools, copy } = options;
  const backup = await source.backUp(database, { tools: [dumpTools] });
  const restored = await source.restore(backup.manifest.backupId, copy, {
    access: target.access('postgres'),
    tools: [restoreTools],
  });
  const [before, after] = [await heldBy(source, database), await heldBy(target, copy)];
  const schemas = [schemaOf(source.access(database), restoreTools), schemaOf(target.access(copy), restoreTools)] as const;
  return {
    backup,
    restored,
    tables: restored.tables.length,
    different: restored.tables.filter(({ equal }) => !equal).map(({ schema, table }) => `${schema}.${table}`),
    secondOpinion: { compared: before.length, different: differing(before, after) },
    schemaDifference: firstDifference(...schemas),
  };
}

/** `PostgreSQL 17.11, odd names: 41 tables equal, 0 different`, several round trips taken together. */
export function sayFigure(name: string, ...trips: RoundTrip[]): void {
  const tables = trips.reduce((sum, trip) => sum + trip.tables, 0);
  const different = trips.flatMap((trip) => trip.different);
  const compared = trips.reduce((sum, trip) => sum + trip.secondOpinion.compared, 0);
  process.stdout.write(
    `${name}: ${tables - different.length} tables equal, ${different.length} different (${compared} compared in SQL)\n`,
  );
}

/** The tools of one major, as the product finds them in a folder. */
export async function toolsOf(major: number): Promise<ClientTools> {
  const found = await postgresEngine.findTools({ extraFolders: [clientBinDir(major)] });
  const tools = found.find((candidate) => candidate.major === major);
  if (!tools) throw new Error(`The product did not find the PostgreSQL ${major} client in ${clientBinDir(major)}`);
  return tools;
}
