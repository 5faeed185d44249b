import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { CryptoError } from './crypto-error.js';

/** `identity` (`AGE-SECRET-KEY-1…`) is the only way back when all agents are lost; `recipient` (`age1…`) is public. */
export interface RecoveryIdentity {
  readonly identity: string;
  readonly recipient: string;
}

/** A new age X25519 identity. The private half is shown or printed once and never sent anywhere. */
export const generateRecoveryIdentity = async (): Promise<RecoveryIdentity> => {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
};

/** The public half. Throws RECOVERY_KEY_INVALID. */
export const recipientOf = async (identity: string): Promise<string> => {
  assertIdentity(identity);
  return identityToRecipient(identity);
};

/** Throws RECOVERY_KEY_INVALID unless `recipient` is an X25519 age recipient, which every version of `age` can use. */
export function assertRecipient(recipient: string): void {
  try {
    if (!/^age1[02-9ac-hj-np-z]{58}$/.test(recipient)) throw new Error('not an X25519 recipient');
    new Encrypter().addRecipient(recipient);
  } catch {
    throw new CryptoError(
      'RECOVERY_KEY_INVALID',
      'A recovery key begins with "age1" and has 62 characters. Copy it again from the kit.',
    );
  }
}

/** Throws RECOVERY_KEY_INVALID unless `identity` is an X25519 age identity, spelt exactly. It is never part of the message. */
export function assertIdentity(identity: string): void {
  try {
    if (!/^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/.test(identity)) throw new Error('not an X25519 identity');
    new Decrypter().addIdentity(identity);
  } catch {
    throw new CryptoError(
      'RECOVERY_KEY_INVALID',
      'A recovery identity begins with "AGE-SECRET-KEY-1" and has 74 characters; one or more differ. Compare it with the printed kit.',
    );
  }
}

/** The identity in what a person typed or pasted: any case, with spaces, line breaks or a whole kit around it. */
export const parseTypedIdentity = (typed: string): string => {
  const found = /AGE-SECRET-KEY-1[0-9A-Z]{58}/.exec(typed.replace(/\s+/g, '').toUpperCase());
  const identity = found?.[0] ?? '';
  assertIdentity(identity);
  return identity;
};
