import { withCaFile, type ProbeResult } from '@rahatback/backup-core';
import type { DatabaseTestResult } from '@rahatback/contracts';
import { reportBase, type Execution, type Executor, type Outcome } from '../commands/executor.js';
import { deferred } from '../deferred.js';
import { asAppError, errorBodyOf } from '../errors.js';
import { engineOf, openerOf, type ExecutorParts } from './executor-parts.js';
import { openPassword } from './sealed-secrets.js';

type TestRun = Execution<'database:test'>;

const outcome = (run: TestRun, result: Omit<DatabaseTestResult, 'commandId' | 'fence'>): Outcome => ({
  // The test was carried out, whatever it found.
  state: 'succeeded',
  result: { event: 'database:test:result', message: { ...reportBase(run.command), ...result } },
});

/** `database:test`: whether this agent could back this database up, and with what. */
export const databaseTestExecutor =
  (parts: ExecutorParts): Executor<'database:test'> =>
  async (run) => {
    const { promise: stopped, reject } = deferred<never>();
    const stop = (): void => reject(asAppError(run.signal.reason));
    run.signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([test(parts, run), stopped]);
    } catch (error) {
      return outcome(run, { success: false, error: errorBodyOf(error) });
    } finally {
      run.signal.removeEventListener('abort', stop);
    }
  };

async function test(parts: ExecutorParts, run: TestRun): Promise<Outcome> {
  const { connection } = run.command.payload;
  const engine = engineOf(connection.type);
  const password = await openPassword(run.command, connection.passwordRef, openerOf(parts));
  const probe = await withCaFile({ connection, password }, (access) => engine.probe(access, 'backup'));
  const facts = { serverVersion: probe.serverVersion, latencyMs: Math.round(probe.latencyMs) };
  const tools = await parts.tools(engine);
  try {
    return outcome(run, {
      ...facts,
      success: true,
      compatible: true,
      clientTool: engine.toolName(engine.chooseTools(forTools(probe), tools)),
    });
  } catch (error) {
    return outcome(run, { ...facts, success: false, compatible: false, error: errorBodyOf(error) });
  }
}

const forTools = ({ serverMajor, serverVersion }: ProbeResult) => ({ serverMajor, serverVersion });
