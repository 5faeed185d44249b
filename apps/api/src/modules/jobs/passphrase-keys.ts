import { Injectable } from '@nestjs/common';
import { AppError } from '@rahatback/contracts';
import { derivePassphraseKek, newKdfParams, sealSecret, type PassphraseKek } from '@rahatback/crypto';
import type { JobPassphrase } from './job.entity.js';
import { assertStrongPassphrase } from './passphrase-strength.js';

/** Each derivation takes 256 MiB and most of a second: one at a time, and a queue that a person is willing to wait in. */
const MAX_WAITING = 20;
const PURPOSE = 'passphrase-kek';

/** Turns a passphrase into a key, once, when it is set. Nobody keeps the passphrase, and the key is kept sealed to the agent only. */
@Injectable()
export class PassphraseKeys {
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /** @throws AppError PASSPHRASE_WEAK, RATE_LIMITED when too many wait already */
  async derive(passphrase: string): Promise<PassphraseKek> {
    assertStrongPassphrase(passphrase);
    if (this.waiting >= MAX_WAITING) {
      throw new AppError('RATE_LIMITED', 'Too many passphrases are being set at once. Try again in a minute.', {
        retryAfterSeconds: 30,
      });
    }
    this.waiting += 1;
    const params = newKdfParams();
    const derived = this.last.then(() => derivePassphraseKek(passphrase, params));
    this.last = derived.catch(() => undefined);
    try {
      return { ...params, kek: await derived };
    } finally {
      this.waiting -= 1;
    }
  }

  async seal(
    agent: { readonly id: string; readonly sealPublicKey: string },
    slot: { readonly jobId: string; readonly version: number; readonly key: PassphraseKek },
  ): Promise<JobPassphrase> {
    const { kek, ...params } = slot.key;
    const sealed = await sealSecret({
      recipientPublicKey: agent.sealPublicKey,
      plaintext: kek,
      agentId: agent.id,
      purpose: PURPOSE,
      subject: slot.jobId,
      version: slot.version,
    });
    const ref = `${PURPOSE}:${slot.jobId}@${slot.version}`;
    return { ...params, kek: { ref, purpose: PURPOSE, subject: slot.jobId, version: slot.version, ...sealed } };
  }
}
