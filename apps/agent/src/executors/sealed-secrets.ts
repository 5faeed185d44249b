import type { CommandEnvelope, SealedSecret } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { openSealed } from '@rahatback/crypto';

export interface SecretOpener {
  readonly agentId: string;
  /** X25519, base64. */
  readonly sealPrivateKey: string;
}

/**
 * Opens a secret that came with a command. It opens only for this agent, its purpose, subject and version; the caller overwrites it after use.
 * @throws AppError COMMAND_REFUSED when the command carries no such secret; CryptoError WRONG_KEY when it was sealed for something else
 */
export async function openSecret(
  command: CommandEnvelope,
  wanted: { readonly ref: string; readonly purpose: SealedSecret['purpose'] },
  opener: SecretOpener,
): Promise<Buffer> {
  const found = command.sealed.find(({ ref, purpose }) => ref === wanted.ref && purpose === wanted.purpose);
  if (found === undefined) {
    throw new AppError(
      'COMMAND_REFUSED',
      `The command names a ${wanted.purpose} that it does not carry: enter it again in the console.`,
    );
  }
  const { purpose, subject, version, enc, ciphertext } = found;
  return openSealed({
    agentId: opener.agentId,
    recipientPrivateKey: opener.sealPrivateKey,
    purpose,
    subject,
    version,
    sealed: { enc, ciphertext },
  });
}

/** The password of a command's connection, as the drivers take it; null when the database needs none. */
export async function openPassword(
  command: CommandEnvelope,
  passwordRef: string | null,
  opener: SecretOpener,
): Promise<string | null> {
  if (passwordRef === null) return null;
  const bytes = await openSecret(command, { ref: passwordRef, purpose: 'database-password' }, opener);
  const password = bytes.toString('utf8');
  bytes.fill(0);
  return password;
}
