import type { RecoveryCodesAnswer, TotpEnrolment } from '@rahatback/contracts';
import { Secret, TOTP } from 'otpauth';
import type { RunningApi } from '../../../testing/start-api.js';

const STEP_MS = 30_000;

/** What an authenticator app shows, or showed `stepsAway` steps from now. */
export const codeAt = (secret: string, stepsAway = 0): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + stepsAway * STEP_MS });

export interface Authenticator {
  readonly secret: string;
  readonly recoveryCodes: readonly string[];
}

/** A person sets their authenticator up. The present code is used up by that. */
export async function enrolTotp(api: RunningApi, token: string): Promise<Authenticator> {
  const begun = await api.call('POST', '/v1/auth/totp/enrol', { token });
  if (begun.status !== 200) throw new Error(`enrol answered ${begun.status}: ${JSON.stringify(begun.body)}`);
  const { secret } = begun.body as TotpEnrolment;
  const confirmed = await api.call('POST', '/v1/auth/totp/confirm', { token, body: { code: codeAt(secret) } });
  if (confirmed.status !== 200) throw new Error(`confirm answered ${confirmed.status}: ${JSON.stringify(confirmed.body)}`);
  return { secret, recoveryCodes: (confirmed.body as RecoveryCodesAnswer).recoveryCodes };
}
