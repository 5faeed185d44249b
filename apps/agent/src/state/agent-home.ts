import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@rahatback/contracts';

/** The files of one agent. Everything in it is 0600, itself 0700. */
export class AgentHome {
  readonly identityFile: string;
  readonly keysFile: string;
  readonly recoveryFile: string;
  readonly recoveryIdentityFile: string;
  readonly policyFile: string;
  readonly trustedAgentsFile: string;
  readonly sessionFile: string;
  readonly statusFile: string;
  readonly journalFile: string;
  readonly lockFile: string;
  /** Copies that may be deleted at any time. */
  readonly cacheDir: string;
  /** Backups of jobs whose storagePath is relative. */
  readonly backupsDir: string;
  /** Plain dumps, unless the policy names another folder. */
  readonly exportsDir: string;

  constructor(readonly path: string) {
    this.identityFile = join(path, 'identity.json');
    this.keysFile = join(path, 'keys.json');
    this.recoveryFile = join(path, 'recovery.json');
    this.recoveryIdentityFile = join(path, 'recovery-identity.txt');
    this.policyFile = join(path, 'policy.json');
    this.trustedAgentsFile = join(path, 'trusted-agents.json');
    this.sessionFile = join(path, 'session.json');
    this.statusFile = join(path, 'status.json');
    this.journalFile = join(path, 'journal.log');
    this.lockFile = join(path, 'daemon.lock');
    this.cacheDir = join(path, 'cache');
    this.backupsDir = join(path, 'backups');
    this.exportsDir = join(path, 'exports');
  }

  /**
   * Creates the folder when it is not there, and takes away what others may do with it. May run twice.
   * @throws AppError PATH_FORBIDDEN when it is no folder, or belongs to another user
   */
  async ensure(): Promise<void> {
    try {
      await mkdir(this.path, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new AppError(
        'PATH_FORBIDDEN',
        `${this.path} cannot be created: choose another folder with RAHATBACK_AGENT_HOME.`,
        undefined,
        { cause: error },
      );
    }
    const found = await stat(this.path);
    const uid = process.getuid?.();
    if (!found.isDirectory() || (uid !== undefined && found.uid !== uid)) {
      throw new AppError(
        'PATH_FORBIDDEN',
        `${this.path} must be a folder of the user that runs the agent: change its owner or set RAHATBACK_AGENT_HOME.`,
      );
    }
    if ((found.mode & 0o077) !== 0) await chmod(this.path, 0o700);
  }
}
