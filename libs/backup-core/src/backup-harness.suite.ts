import {
  generateRecoveryIdentity,
  generateSealKeyPair,
  generateSigningKeyPair,
  openWithAgentKey,
  type RawKeyPair,
} from '@rahatback/crypto';
import { FolderSink, FolderSource } from '@rahatback/storage/agent';
import type { Compression, Connection } from '@rahatback/contracts';
import { clientBinDir, tempDir, type PrivatePostgres, type TempDir } from '@rahatback/testing';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, type QueryArrayResult } from 'pg';
import type { BackupIdentity, BackupRequest, BackupResult } from './backup/backup-request.js';
import { runBackup } from './backup/run-backup.js';
import type { ClientTools, DatabaseAccess } from './engine/database-engine.js';
import { postgresEngine } from './engine/postgres/postgres-engine.js';
import { openBackup, type BackupToOpen, type OpenBackup } from './restore/open-backup.js';
import { runRestore, type RestoreRequest, type RestoreResult } from './restore/run-restore.js';

/** One agent, one workspace, backups in folders, the real client tools: what the tests of whole backups stand on. */
export class BackupHarness {
  readonly signing: RawKeyPair = generateSigningKeyPair();
  readonly sealing: RawKeyPair = generateSealKeyPair();
  readonly workspaceId = randomUUID();
  readonly databaseId = randomUUID();
  readonly agentId = randomUUID();

  private constructor(
    readonly server: PrivatePostgres,
    readonly folder: TempDir,
    readonly tools: readonly ClientTools[],
    readonly recovery: { readonly identity: string; readonly recipient: string },
  ) {}

  static async start(server: PrivatePostgres): Promise<BackupHarness> {
    const tools = await postgresEngine.findTools({ extraFolders: [clientBinDir()] });
    return new BackupHarness(server, await tempDir('rahatback-core-'), tools, await generateRecoveryIdentity());
  }

  stop(): Promise<void> {
    return this.folder.remove();
  }

  connection(database: string): Connection {
    const { host, port, superuser } = this.server;
    return { type: 'postgresql', host, port, username: superuser, database, tlsMode: 'disable', tlsCa: null, passwordRef: null };
  }

  access(database: string): DatabaseAccess {
    return { connection: this.connection(database), password: this.server.password };
  }

  folderOf(backupId: string): string {
    return join(this.folder.path, backupId);
  }

  source(backupId: string): FolderSource {
    return new FolderSource(this.folderOf(backupId));
  }

  identity(change: Partial<BackupIdentity> = {}): BackupIdentity {
    const { workspaceId, databaseId, agentId } = this;
    return { workspaceId, databaseId, agentId, backupId: randomUUID(), chainId: randomUUID(), fence: 1, type: 'full', ...change };
  }

  request(database: string, change: Partial<BackupRequest> = {}, compression: Compression = 'zstd'): BackupRequest {
    const identity = change.identity ?? this.identity();
    return {
      engine: postgresEngine,
      access: this.access(database),
      tools: this.tools,
      sink: new FolderSink(this.folderOf(identity.backupId)),
      identity,
      keys: {
        agents: [{ agentId: this.agentId, sealPublicKey: this.sealing.publicKey }],
        recoveryRecipient: this.recovery.recipient,
        passphrase: null,
        signingPrivateKey: this.signing.privateKey,
      },
      compression,
      base: null,
      writer: 'test',
      signal: new AbortController().signal,
      ...change,
    };
  }

  backUp(database: string, change: Partial<BackupRequest> = {}, compression: Compression = 'zstd'): Promise<BackupResult> {
    return runBackup(this.request(database, change, compression));
  }

  toOpen(backupId: string): BackupToOpen {
    return {
      source: this.source(backupId),
      backupId,
      trust: () => ({ agentPublicKey: this.signing.publicKey }),
      unlock: (keys) => openWithAgentKey(keys, this.sealing.privateKey),
    };
  }

  open(backupId: string): Promise<OpenBackup> {
    return openBackup({ ...this.toOpen(backupId), linkSource: (id) => this.source(id) });
  }

  async restore(backupId: string, targetDatabase: string, change: Partial<RestoreRequest> = {}): Promise<RestoreResult> {
    return runRestore({
      engine: postgresEngine,
      backup: await this.open(backupId),
      access: this.access('postgres'),
      tools: this.tools,
      targetDatabase,
      restoreId: randomUUID(),
      signal: new AbortController().signal,
      ...change,
    });
  }

  /** Statements as the superuser, in a database of any name; the rows of the last one. */
  async query(database: string, sql: string): Promise<unknown[][]> {
    const { host, port, superuser: user, password } = this.server;
    const client = new Client({ host, port, user, password, database });
    await client.connect();
    try {
      const results = (await client.query({ text: sql, rowMode: 'array' })) as unknown as QueryArrayResult | QueryArrayResult[];
      return (Array.isArray(results) ? results.at(-1)?.rows : results.rows) ?? [];
    } finally {
      await client.end();
    }
  }

  /** Names of all databases but the server's own. */
  async databases(): Promise<string[]> {
    const rows = await this.server.query(
      "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')",
    );
    return rows.map(([name]) => String(name)).sort();
  }
}
