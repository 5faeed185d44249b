import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { AppError } from '@rahatback/contracts';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Keys of an S3 bucket that `restore` and `decrypt` read without a server. Never an argument: arguments are public on a machine. */
export interface S3Environment {
  readonly accessKeyId: string | null;
  readonly secretAccessKey: string | null;
  readonly region: string | null;
}

export interface AgentConfig {
  /** Holds keys, journal and policy; mode 0700. */
  readonly homeDir: string;
  readonly logLevel: LogLevel;
  /** `name:nth` of a crash point, for crash tests only. */
  readonly faultSpec: string | null;
  /** Folders that are searched for client tools besides PATH and the usual places. */
  readonly toolDirs: readonly string[];
  /** The PATH, where client tools are looked for last. */
  readonly path: string;
  readonly s3: S3Environment;
  /** Password of a restore's target, as libpq takes it. */
  readonly pgPassword: string | null;
  /** How many backups and restores may run at once. */
  readonly concurrency: number;
  /** How long a dump tool may write nothing before it is ended. */
  readonly stallMs: number;
}

export interface ConfigSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
  readonly userHome: string;
}

const present = (value: string | undefined): string | null => (value === undefined || value === '' ? null : value);

function homeDirOf(source: ConfigSource, problems: string[]): string {
  const given = present(source.env.RAHATBACK_AGENT_HOME);
  if (given === null) return source.isRoot ? '/var/lib/rahatback-agent' : join(source.userHome, '.rahatback-agent');
  if (!isAbsolute(given)) problems.push('RAHATBACK_AGENT_HOME must be an absolute path.');
  return given;
}

function logLevelOf(source: ConfigSource, problems: string[]): LogLevel {
  const given = present(source.env.RAHATBACK_LOG_LEVEL) ?? 'info';
  const level = LOG_LEVELS.find((known) => known === given);
  if (level === undefined) problems.push(`RAHATBACK_LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}.`);
  return level ?? 'info';
}

function toolDirsOf(source: ConfigSource, problems: string[]): string[] {
  const dirs = (source.env.RAHATBACK_TOOL_DIRS ?? '').split(delimiter).filter((dir) => dir !== '');
  if (!dirs.every(isAbsolute)) problems.push(`RAHATBACK_TOOL_DIRS must hold absolute paths, divided by '${delimiter}'.`);
  return dirs;
}

interface WholeNumber {
  readonly name: string;
  readonly byDefault: number;
  readonly most: number;
}

function wholeNumberOf(source: ConfigSource, problems: string[], { name, byDefault, most }: WholeNumber): number {
  const value = Number(present(source.env[name]) ?? byDefault);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  problems.push(`${name} must be a whole number from 1 to ${most}.`);
  return byDefault;
}

/**
 * Reads and checks the environment once.
 * @throws AppError CONFIG_INVALID with one line per variable and no values, since a value may be a secret
 */
export function parseConfig(source: ConfigSource): AgentConfig {
  const problems: string[] = [];
  const { env } = source;
  const config: AgentConfig = {
    homeDir: homeDirOf(source, problems),
    logLevel: logLevelOf(source, problems),
    faultSpec: present(env.FAULT),
    toolDirs: toolDirsOf(source, problems),
    path: env.PATH ?? '',
    s3: {
      accessKeyId: present(env.AWS_ACCESS_KEY_ID),
      secretAccessKey: present(env.AWS_SECRET_ACCESS_KEY),
      region: present(env.AWS_REGION) ?? present(env.AWS_DEFAULT_REGION),
    },
    pgPassword: present(env.PGPASSWORD),
    concurrency: wholeNumberOf(source, problems, { name: 'RAHATBACK_CONCURRENCY', byDefault: 2, most: 16 }),
    stallMs: 1000 * wholeNumberOf(source, problems, { name: 'RAHATBACK_STALL_SECONDS', byDefault: 1800, most: 86_400 }),
  };
  if (problems.length > 0) throw new AppError('CONFIG_INVALID', problems.join('\n'));
  return config;
}

/** The configuration of this process. */
export const loadConfig = (): AgentConfig =>
  parseConfig({ env: process.env, isRoot: process.getuid?.() === 0, userHome: homedir() });
