import { fileURLToPath } from 'node:url';
import { AppError } from '@rahatback/contracts';
import type { S3Environment } from '../config/agent-config.js';
import { readTextFile } from '../cli/secret-input.js';
import type { PlaceFiles } from './backup-place.js';
import { BucketFiles } from './bucket-files.js';
import { FolderFiles } from './folder-files.js';

export interface PlaceOptions {
  /** `file:///path`, a plain path, or `s3://bucket/prefix`. */
  readonly from: string;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** An AWS credentials file; its `[default]` section, or the first one. */
  readonly credentials?: string | undefined;
}

interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** `name = value` lines of the `[default]` section, or of the first. */
function keysOfFile(text: string, path: string): S3Keys {
  const sections = text.split(/^\s*\[([^\]]*)\]\s*$/m);
  const names = sections.filter((_, index) => index % 2 === 1).map((name) => name.trim());
  const at = Math.max(0, names.indexOf('default'));
  const body = sections[2 * at + 2] ?? sections[0] ?? '';
  const valueOf = (name: string): string | undefined => new RegExp(`^\\s*${name}\\s*=\\s*(\\S+)\\s*$`, 'm').exec(body)?.[1];
  const [accessKeyId, secretAccessKey] = [valueOf('aws_access_key_id'), valueOf('aws_secret_access_key')];
  if (accessKeyId !== undefined && secretAccessKey !== undefined) return { accessKeyId, secretAccessKey };
  throw new AppError('S3_CREDENTIALS', `${path} holds no aws_access_key_id and aws_secret_access_key.`);
}

async function s3Keys(options: PlaceOptions, environment: S3Environment): Promise<S3Keys> {
  if (options.credentials !== undefined) return keysOfFile(await readTextFile(options.credentials), options.credentials);
  const { accessKeyId, secretAccessKey } = environment;
  if (accessKeyId !== null && secretAccessKey !== null) return { accessKeyId, secretAccessKey };
  throw new AppError(
    'S3_CREDENTIALS',
    'The keys of the bucket are missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with --credentials.',
  );
}

function urlOf(from: string): URL | undefined {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(from) && URL.canParse(from) ? new URL(from) : undefined;
}

/** @throws AppError VALIDATION for an address of another kind, S3_CREDENTIALS */
export async function openPlace(options: PlaceOptions, environment: S3Environment): Promise<PlaceFiles> {
  const url = urlOf(options.from);
  if (url === undefined) return new FolderFiles(options.from);
  if (url.protocol === 'file:') return new FolderFiles(fileURLToPath(url));
  if (url.protocol !== 's3:' || url.hostname === '' || url.username !== '' || url.search !== '') {
    throw new AppError('VALIDATION', '--from must be file:///folder, a folder, or s3://bucket/prefix, without keys in it.');
  }
  const region = options.region ?? environment.region;
  return new BucketFiles({
    ...(await s3Keys(options, environment)),
    bucket: url.hostname,
    prefix: decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, ''),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(region === null ? {} : { region }),
  });
}
