import type { VerificationCheck, VerificationCheckName, VerificationLevel } from '@rahatback/contracts';
import { clientBinDir, isAlive, listProcesses, startPostgres, type PrivatePostgres } from '@rahatback/testing';
import { randomUUID } from 'node:crypto';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackupHarness } from '../backup-harness.suite.js';
import { loadChain } from '../chain/load-chain.js';
import { postgresEngine } from '../engine/postgres/postgres-engine.js';
import { throwawayPrefix } from '../engine/postgres/throwaway-folder.js';
import type { ProcessRecord } from '../process/leftover.js';
import { FolderSource } from '@rahatback/storage/agent';
import { runVerification } from './run-verification.js';
import type { VerificationOutcome, VerificationRequest } from './verification.js';

/** Real backups in folders, and their verification. */
export class VerificationWorld {
  /** Children of verifications so far. */
  readonly spawned: ProcessRecord[] = [];
  /** How the folders of its own verifications begin: other tests run at the same time. */
  private readonly prefixes: string[] = [];

  private constructor(
    readonly server: PrivatePostgres,
    readonly harness: BackupHarness,
  ) {}

  static async start(version?: number): Promise<VerificationWorld> {
    const server = await startPostgres(version === undefined ? {} : { version });
    return new VerificationWorld(server, await BackupHarness.start(server));
  }

  async stop(): Promise<void> {
    await this.harness.stop();
    await this.server.stop();
  }

  /** A second link that points into the first. */
  async incremental(
    database: string,
    full: { readonly backupId: string; readonly chain: { readonly id: string } },
  ): Promise<string> {
    const base = await loadChain([this.harness.toOpen(full.backupId)]);
    const identity = this.harness.identity({ type: 'incremental', chainId: full.chain.id });
    await this.harness.backUp(database, { identity, base });
    return identity.backupId;
  }

  verify(backupId: string, level: VerificationLevel, change: Partial<VerificationRequest> = {}): Promise<VerificationOutcome> {
    const verificationId = change.verificationId ?? randomUUID();
    this.prefixes.push(throwawayPrefix(verificationId));
    return runVerification({
      engine: postgresEngine,
      backup: { ...this.harness.toOpen(backupId), linkSource: (id) => this.harness.source(id) },
      verificationId,
      level,
      tools: this.harness.tools,
      search: { extraFolders: [clientBinDir(this.server.major)] },
      signal: new AbortController().signal,
      onSpawn: (record) => this.spawned.push(record),
      ...change,
    });
  }

  /** Verifies a copy of a backup after `spoil` has had its way with it; other backups stay as they are. */
  async spoilt(
    backupId: string,
    level: VerificationLevel,
    spoil: (folder: string) => Promise<void>,
  ): Promise<VerificationOutcome> {
    const folder = join(this.harness.folder.path, 'spoilt');
    await rm(folder, { recursive: true, force: true });
    await cp(this.harness.folderOf(backupId), folder, { recursive: true });
    await spoil(folder);
    return this.verify(backupId, level, {
      backup: { ...this.harness.toOpen(backupId), source: new FolderSource(folder), linkSource: (id) => this.harness.source(id) },
    });
  }

  /** No process of a verification lives, and no folder of one is left. */
  async assertNothingLeft(): Promise<void> {
    expect(this.spawned.map(({ pid }) => pid).filter(isAlive)).toEqual([]);
    const isOwn = (text: string): boolean => this.prefixes.some((prefix) => text.includes(prefix));
    expect(
      listProcesses()
        .map(({ argv }) => argv.join(' '))
        .filter(isOwn),
    ).toEqual([]);
    for (const folder of [tmpdir(), '/var/tmp']) expect((await readdir(folder)).filter(isOwn)).toEqual([]);
  }
}

export async function flip(folder: string, name: string, at: number): Promise<void> {
  const bytes = await readFile(join(folder, name));
  bytes[at] = (bytes[at] as number) ^ 1;
  await writeFile(join(folder, name), bytes);
}

export const checkOf = ({ checks }: VerificationOutcome, name: VerificationCheckName): VerificationCheck => {
  const found = checks.find((check) => check.name === name);
  if (found) return found;
  throw new Error(`There is no check ${name}: ${checks.map((check) => check.name).join(', ')}`);
};

/** `name: result` of all that did not pass. */
export const notPassed = ({ checks }: VerificationOutcome): string[] =>
  checks.filter(({ result }) => result !== 'passed').map(({ name, result }) => `${name}: ${result}`);
