import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { clientBinDir } from '@rahatback/testing';
import type { BenchWorld } from './bench-world.js';
import { asTool, runShell, type ShellRun } from './run-shell.js';

const REMOTE = 'bench';
/** The same tools, from the same folder, as the agent finds them: not Debian's wrappers. */
const DUMP = 'pg_dump -Fp';
const ENCRYPT = 'openssl enc -aes-256-ctr -pbkdf2 -pass env:BENCH_PASSPHRASE';

/** A rival's run, with what it left in the bucket. */
export interface RivalRun extends ShellRun {
  readonly storedBytes: number;
}

/** What people would use instead, on the same machine, database and S3 server. */
export class Rivals {
  private readonly env: Readonly<Record<string, string>>;
  private runs = 0;

  /** @param home folder for restic's cache */
  constructor(
    private readonly world: BenchWorld,
    private readonly home: string,
  ) {
    const { s3, customer } = world;
    const { host, port, username, password, database } = customer.connection;
    this.env = {
      PATH: `${clientBinDir()}:${process.env.PATH ?? ''}`,
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: username,
      PGPASSWORD: password ?? '',
      PGDATABASE: database,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      AWS_DEFAULT_REGION: s3.region,
      RCLONE_CONFIG: '/nonexistent/rclone.conf',
      RCLONE_CONFIG_BENCH_TYPE: 's3',
      RCLONE_CONFIG_BENCH_PROVIDER: 'Ceph',
      RCLONE_CONFIG_BENCH_ENV_AUTH: 'true',
      RCLONE_CONFIG_BENCH_ENDPOINT: s3.endpoint,
      RCLONE_CONFIG_BENCH_REGION: s3.region,
      RESTIC_PASSWORD: randomBytes(15).toString('base64url'),
      RESTIC_CACHE_DIR: join(home, 'restic-cache'),
      BENCH_PASSPHRASE: randomBytes(15).toString('base64url'),
    };
  }

  run(script: string, env: Readonly<Record<string, string>> = {}): Promise<ShellRun> {
    return runShell(script, { ...this.env, ...env });
  }

  /** First line of what a tool answers to its version option. */
  async version(command: string): Promise<string> {
    return (await this.run(command)).stdout.split('\n')[0] ?? '';
  }

  /** Bytes of all objects of a bucket or below a place in it. */
  async storedBytes(place: string): Promise<number> {
    const { stdout } = await this.run(`rclone size --json ${REMOTE}:${place}`);
    return (JSON.parse(stdout) as { bytes: number }).bytes;
  }

  private async newBucket(): Promise<string> {
    this.runs += 1;
    return this.world.s3.createBucket(`rival-${this.runs}`);
  }

  private async piped(packing: string): Promise<RivalRun> {
    const bucket = await this.newBucket();
    const run = await this.run(`${asTool(DUMP)} | ${packing} | ${ENCRYPT} | rclone rcat ${REMOTE}:${bucket}/dump`);
    return { ...run, storedBytes: await this.storedBytes(bucket) };
  }

  gzipShell(): Promise<RivalRun> {
    return this.piped('gzip -6');
  }

  zstdShell(): Promise<RivalRun> {
    return this.piped('zstd -3 -q');
  }

  /** A new repository, made outside of what is measured. */
  async resticRepository(): Promise<ResticRepository> {
    const bucket = await this.newBucket();
    const repository = new ResticRepository(this, bucket, `s3:${this.world.s3.endpoint}/${bucket}`);
    await repository.init();
    return repository;
  }

  async restic(): Promise<RivalRun> {
    const repository = await this.resticRepository();
    const run = await repository.backUp();
    return { ...run, storedBytes: await repository.storedBytes() };
  }

  bareDump(): Promise<ShellRun> {
    return this.run(`${asTool('pg_dump -Fc -Z0')} >/dev/null`);
  }

  /** The database read once, so that no rival is the one who warms the caches. */
  async warmUp(): Promise<void> {
    await this.run(`${DUMP} >/dev/null`);
  }
}

export class ResticRepository {
  constructor(
    private readonly rivals: Rivals,
    private readonly bucket: string,
    private readonly url: string,
  ) {}

  async init(): Promise<void> {
    await this.restic('init --quiet');
  }

  /** A plain dump through stdin, as our agent reads it. */
  backUp(): Promise<ShellRun> {
    return this.restic('backup --quiet --stdin --stdin-filename dump.sql', `${asTool(DUMP)} | `);
  }

  storedBytes(): Promise<number> {
    return this.rivals.storedBytes(this.bucket);
  }

  private restic(command: string, before = ''): Promise<ShellRun> {
    return this.rivals.run(`${before}restic -o s3.bucket-lookup=path ${command}`, { RESTIC_REPOSITORY: this.url });
  }
}
