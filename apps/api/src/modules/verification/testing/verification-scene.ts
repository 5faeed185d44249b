import type {
  VerificationCheck,
  VerificationCompletedReport,
  VerificationLevel,
  VerificationPayload,
  VerificationView,
  VerifyAnswer,
} from '@rahatback/contracts';
import type { Confirmed } from '@rahatback/contracts';
import { EMPTY_WORDS, type BackupScene, type SentCommand } from '../../backups/testing/backup-scene.js';
import { NEEDED_CHECKS } from '../verification-verdict.js';

export type VerificationCommand = SentCommand<VerificationPayload>;

export const passedChecks = (level: VerificationLevel): VerificationCheck[] =>
  NEEDED_CHECKS[level].map((name) => ({ name, result: 'passed', message: 'Good.', evidence: {}, durationMs: 1 }));

/** The checks of a level, of which one failed. */
export const failedAt = (name: VerificationCheck['name'], evidence: Record<string, unknown>): VerificationCheck[] =>
  passedChecks('BASIC')
    .filter((check) => check.name !== name)
    .concat({ name, result: 'failed', message: 'It is not what was written.', evidence, durationMs: 1 });

/** What a person asks and an agent answers about verifications. */
export class VerificationTalk {
  constructor(private readonly scene: BackupScene) {}

  ask(backupId: string, body?: object) {
    return this.scene.call<VerifyAnswer & { code?: string }>('POST', `/v1/backups/history/${backupId}/verify`, body);
  }

  async view(id: string): Promise<VerificationView> {
    return (await this.scene.call<VerificationView>('GET', `/v1/verifications/${id}`)).body;
  }

  /** The newest command for a backup. */
  command(backupId: string): Promise<VerificationCommand> {
    return this.scene.command<VerificationPayload>('verification:execute', `verification:${backupId}`);
  }

  async begun(backupId: string, verificationLevel: VerificationLevel = 'BASIC'): Promise<VerificationCommand> {
    const { status, body } = await this.ask(backupId, { verificationLevel });
    if (status !== 201) throw new Error(`The verification was answered with ${status}: ${JSON.stringify(body)}`);
    return this.command(backupId);
  }

  complete(command: VerificationCommand, change: Partial<VerificationCompletedReport> = {}): Promise<Confirmed> {
    return this.scene.agent.say('verification:completed', {
      ...this.scene.agent.report(command),
      verificationId: command.payload.verificationId,
      status: 'PASSED',
      reason: null,
      checks: passedChecks(command.payload.level),
      tables: [],
      tablesTotal: null,
      tablesEqual: null,
      restoreMs: null,
      ...EMPTY_WORDS,
      ...change,
    });
  }

  fail(command: VerificationCommand, code: string): Promise<Confirmed> {
    const error = { code, message: `${code} happened.` };
    return this.scene.agent.say('verification:failed', { ...this.scene.agent.report(command), error, ...EMPTY_WORDS });
  }

  /** Asks and answers at once. */
  async verified(
    backupId: string,
    level: VerificationLevel,
    change: Partial<VerificationCompletedReport> = {},
  ): Promise<VerificationView> {
    const command = await this.begun(backupId, level);
    await this.complete(command, change);
    return this.view(command.payload.verificationId);
  }
}
