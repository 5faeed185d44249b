import type { DatabaseType, SealedSecret } from '@rahatback/contracts';
import { AppError } from '@rahatback/contracts';
import { sealSecret } from '@rahatback/crypto';

const PURPOSE = 'database-password';

interface PasswordSubject {
  /** The database's id; for a test of a connection that is not saved, the id of the test's command. */
  readonly subject: string;
  readonly version: number;
  readonly password: string;
}

/** Seals a password so that only this agent opens it, for this subject and version. An empty one is none. */
export async function sealPassword(
  agent: { readonly id: string; readonly sealPublicKey: string },
  { subject, version, password }: PasswordSubject,
): Promise<SealedSecret | null> {
  if (password === '') return null;
  const sealed = await sealSecret({
    recipientPublicKey: agent.sealPublicKey,
    plaintext: password,
    agentId: agent.id,
    purpose: PURPOSE,
    subject,
    version,
  });
  return { ref: `${PURPOSE}:${subject}@${version}`, purpose: PURPOSE, subject, version, ...sealed };
}

/** @throws AppError ENGINE_UNSUPPORTED */
export function assertEngine(type: DatabaseType): void {
  if (type === 'postgresql') return;
  throw new AppError(
    'ENGINE_UNSUPPORTED',
    `Databases of type ${type} cannot be backed up yet. Only postgresql can, in this version.`,
    {
      type,
    },
  );
}
