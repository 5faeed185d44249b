import { Decrypter, Encrypter, identityToRecipient } from 'age-encryption';
import { fromBase64, toBase64 } from './base64.js';
import { CryptoError } from './crypto-error.js';
import { fromTinkKeyset, toTinkKeyset } from './keyset.js';
import { assertIdentity, assertRecipient } from './recovery-identity.js';

/**
 * The data key for the workspace's recovery identities. `data` is base64 of one complete age v1 file whose plaintext is the Tink JSON
 * keyset: `base64 -d | age -d -i identity.txt` opens it without us. One file for all recipients, so that this line never changes.
 */
export interface AgeSlot {
  readonly type: 'age';
  readonly recipients: readonly string[];
  readonly data: string;
}

/** Throws RECOVERY_KEY_INVALID when a recipient is not an X25519 one (`age1…`) or is unusable. */
export const wrapAgeSlot = async (dek: Uint8Array, recipients: readonly string[]): Promise<AgeSlot> => {
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    assertRecipient(recipient);
    encrypter.addRecipient(recipient);
  }
  try {
    return { type: 'age', recipients: [...recipients], data: toBase64(await encrypter.encrypt(toTinkKeyset(dek))) };
  } catch (cause) {
    throw new CryptoError(
      'RECOVERY_KEY_INVALID',
      'Nothing can be encrypted to this recovery key. Make a new one.',
      {},
      { cause },
    );
  }
};

/** Throws RECOVERY_KEY_INVALID for a malformed identity, WRONG_KEY for one this slot is not for, KEYS_INVALID for an altered slot. */
export const unwrapAgeSlot = async (slot: AgeSlot, identity: string): Promise<Buffer> => {
  assertIdentity(identity);
  const recipient = await identityToRecipient(identity);
  if (!slot.recipients.includes(recipient)) {
    throw new CryptoError(
      'WRONG_KEY',
      'This recovery identity does not open this backup. Its public half is named in `recipients`.',
      {
        recipient,
        recipients: slot.recipients,
      },
    );
  }
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  let keyset: string;
  try {
    keyset = await decrypter.decrypt(fromBase64(slot.data) ?? Buffer.alloc(0), 'text');
  } catch {
    throw new CryptoError('KEYS_INVALID', 'The recovery slot was altered. Use another slot or generation.');
  }
  return fromTinkKeyset(keyset);
};
