import { AppError } from '@rahatback/contracts';

/** What the program's exit says; also in `--help`. */
export const EXIT = {
  done: 0,
  /** It may go well the next time: network, disk, a server that is away. */
  failed: 1,
  /** Wrong usage, or something that the caller must mend first. */
  refused: 2,
  /** `status`: no daemon runs, or it is not online. */
  notOnline: 3,
  /** `run`: revoked; starting it again is useless. */
  revoked: 4,
  /** `run`: another daemon holds this home. */
  alreadyRunning: 5,
  badConfig: 78,
  interrupted: 130,
} as const;

export const EXIT_HELP = `
Exit codes:
  0    done
  1    failed, and may go well the next time
  2    wrong usage, or something to mend first; the message says what
  3    status: the agent is not online
  4    run: this agent was revoked
  5    run: another agent runs on this home
  78   an environment variable is wrong
  130  interrupted`;

export function exitCodeOf(error: AppError): number {
  if (error.code === 'CONFIG_INVALID') return EXIT.badConfig;
  if (error.code === 'AGENT_REVOKED') return EXIT.revoked;
  return error.kind === 'user' ? EXIT.refused : EXIT.failed;
}
