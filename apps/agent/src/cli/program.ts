import { Command, CommanderError } from 'commander';
import { errorBodyOf, asAppError } from '../errors.js';
import { AGENT_VERSION } from '../version.js';
import type { CliContext } from './cli-context.js';
import { addDecryptCommand } from './decrypt.command.js';
import { addEnrollCommand } from './enroll.command.js';
import { EXIT, EXIT_HELP, exitCodeOf } from './exit-codes.js';
import { addPolicyCommand } from './policy.command.js';
import { addRecoveryKeyCommand } from './recovery-key.command.js';
import { addRestoreCommand } from './restore.command.js';
import { addRunCommand } from './run.command.js';
import { addStatusCommand } from './status.command.js';
import { addTrustCommand } from './trust.command.js';

function buildProgram(context: CliContext): Command {
  const program = new Command('rahatback-agent')
    .description('Backs up the databases beside it, for a RahatBack server; restores and decrypts also without one.')
    .version(AGENT_VERSION)
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    })
    .addHelpText('after', EXIT_HELP)
    .showHelpAfterError('(--help shows how)')
    .exitOverride();
  addEnrollCommand(program, context);
  addRunCommand(program, context);
  addStatusCommand(program, context);
  addRecoveryKeyCommand(program, context);
  addPolicyCommand(program, context);
  addTrustCommand(program, context);
  addDecryptCommand(program, context);
  addRestoreCommand(program, context);
  // Commander does not hand the override down to commands that exist already, nor to theirs.
  for (const command of program.commands) [command, ...command.commands].forEach((each) => each.exitOverride());
  return program;
}

/** @returns the exit code of a failure, after telling it as `CODE: sentence` (or one line of JSON) on standard error */
function tell(context: CliContext, error: unknown, asJson: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.refused;
  if (context.signal.aborted) {
    context.stderr.write('rahatback-agent: interrupted\n');
    return EXIT.interrupted;
  }
  const body = errorBodyOf(error);
  context.stderr.write(asJson ? `${JSON.stringify({ error: body })}\n` : `rahatback-agent: ${body.code}: ${body.message}\n`);
  if (body.code === 'INTERNAL' && ['debug', 'trace'].includes(context.config.logLevel)) {
    const cause = asAppError(error).cause;
    context.stderr.write(`${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`);
  }
  return exitCodeOf(asAppError(error));
}

/** Runs one command line. @returns the exit code */
export async function runCli(argv: readonly string[], context: Omit<CliContext, 'setExitCode'>): Promise<number> {
  let exitCode: number = EXIT.done;
  const full: CliContext = {
    ...context,
    setExitCode: (code) => {
      exitCode = code;
    },
  };
  try {
    await buildProgram(full).parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    return tell(full, error, argv.includes('--json'));
  }
}
