import { createHash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { crashPoint, MANIFEST_OBJECT, parseManifest } from '@rahatback/backup-core';
import type { BackupLocation, ReportBase, UploadPublishAnswer } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { canonicalJson } from '@rahatback/crypto';
import { folderError, FolderSink, type BackupSink, type ObjectSink } from '@rahatback/storage/agent';
import type { ServerRequests } from '../connection/server-requests.js';
import type { AgentHome } from '../state/agent-home.js';
import { isMissing } from '../state/atomic-file.js';
import { policyRefusal, readPolicy } from '../state/policy.js';
import { agentFolder, attemptFolder } from './agent-folder.js';

export interface AgentSinkOptions {
  readonly home: Pick<AgentHome, 'policyFile' | 'backupsDir'>;
  readonly agentPath: string;
  readonly location: BackupLocation;
  readonly requests: ServerRequests;
  readonly report: ReportBase;
  readonly signal: AbortSignal;
  /** Awaited when the server has accepted the manifest, before it is written: what a restart needs to tell whether it was. */
  readonly onAccepted: (manifestSha256: string) => Promise<void>;
  /** Awaited when the manifest stands. */
  readonly onPublished: (manifestSha256: string) => Promise<void>;
}

/**
 * Where the policy lets a backup be written. @throws AppError AGENT_POLICY_REFUSED also for a folder that does not exist yet, where the policy allows
 * no new destinations
 */
async function folderForWriting({ home, agentPath, location }: AgentSinkOptions): Promise<string> {
  const folder = await agentFolder(home, agentPath);
  const isNew = await lstat(folder).then(
    () => false,
    (error: unknown) => {
      if (isMissing(error)) return true;
      throw folderError(error, folder);
    },
  );
  if (isNew && !(await readPolicy(home)).newDestinations) throw policyRefusal('newDestinations');
  return attemptFolder(home, agentPath, location);
}

/**
 * Writes a backup to this agent's own disk. Volumes and index go straight to files; keys and manifest are shown to the server first, which checks
 * them and counter-signs the manifest. The manifest is written last, and is the commit.
 */
export class AgentFolderSink implements BackupSink {
  private constructor(
    private readonly options: AgentSinkOptions,
    private readonly folder: string,
    private readonly files: FolderSink,
  ) {}

  /** @throws AppError AGENT_POLICY_REFUSED, PATH_FORBIDDEN */
  static async open(options: AgentSinkOptions): Promise<AgentFolderSink> {
    const folder = await folderForWriting(options);
    return new AgentFolderSink(options, folder, new FolderSink(folder));
  }

  async beginObject(object: string): Promise<ObjectSink> {
    const sink = await this.files.beginObject(object);
    await this.assertPlace();
    return sink;
  }

  async publish(object: string, bytes: Buffer): Promise<void> {
    const { requests, report, signal } = this.options;
    const answer = await requests.ask('upload:publish', { ...report, object, content: bytes.toString('base64') }, signal);
    if (object === MANIFEST_OBJECT) return this.publishManifest(bytes, answer);
    await this.files.publish(object, bytes);
    await this.assertPlace();
  }

  abort(): Promise<void> {
    return this.files.abort();
  }

  private async publishManifest(own: Buffer, answer: UploadPublishAnswer): Promise<void> {
    const signed = counterSigned(own, answer);
    const { onAccepted, onPublished, signal } = this.options;
    await this.assertPlace();
    await onAccepted(answer.sha256);
    crashPoint('agent.folder.before_manifest');
    signal.throwIfAborted();
    await this.files.publish(MANIFEST_OBJECT, signed);
    crashPoint('agent.folder.after_manifest');
    await onPublished(answer.sha256);
  }

  /** A link that was put in the way while the folders were made. */
  private async assertPlace(): Promise<void> {
    const { home, agentPath, location } = this.options;
    if ((await attemptFolder(home, agentPath, location)) === this.folder) return;
    throw new AppError('PATH_FORBIDDEN', `${this.folder} was moved while the backup ran. Run the backup again.`);
  }
}

/** What the server gave back must be what it was shown, with its signature and nothing else. */
function counterSigned(own: Buffer, { sha256, content }: UploadPublishAnswer): Buffer {
  const bytes = Buffer.from(content ?? '', 'base64');
  const isNamed = createHash('sha256').update(bytes).digest('hex') === sha256;
  if (isNamed && content !== undefined) {
    const { server, ...signatures } = parseManifest(bytes).signatures;
    if (server !== undefined && canonicalJson({ ...parseManifest(bytes), signatures }).equals(own)) return bytes;
  }
  throw new AppError(
    'MANIFEST_INVALID',
    'The server answered with another manifest than the one it was shown. Upgrade the server, then run the backup again.',
  );
}
