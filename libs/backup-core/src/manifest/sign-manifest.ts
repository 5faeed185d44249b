import { AppError } from '@rahatback/contracts';
import { canonicalJson, CryptoError, signManifest as signatureOf, verifyManifest as verifySignature } from '@rahatback/crypto';
import type { Manifest, ManifestBody } from './manifest.js';

export interface TrustedKeys {
  /** Raw Ed25519 public keys, base64: pinned at enrolment or from the recovery kit, never taken from a manifest. */
  readonly agentPublicKey: string;
  /** Given: the server's counter-signature must be there and right. */
  readonly serverPublicKey?: string;
}

/** Signs what an agent wrote. `privateKey`: raw base64 or PKCS#8 PEM. */
export const signAsAgent = (body: ManifestBody, privateKey: string): Manifest => ({
  ...body,
  signatures: { agent: signatureOf(body, 'agent', privateKey) },
});

/** The server's acceptance, beside the agent's signature. Deterministic: the same manifest and key give the same bytes. */
export const counterSign = (manifest: Manifest, serverPrivateKey: string): Manifest => ({
  ...manifest,
  signatures: { agent: manifest.signatures.agent, server: signatureOf(manifest, 'server', serverPrivateKey) },
});

/** The bytes to store: canonical JSON (RFC 8785). */
export const serializeManifest = (manifest: Manifest): Buffer => canonicalJson(manifest);

/** @throws AppError MANIFEST_INVALID unless the trusted keys signed exactly this */
export function verifyManifest(manifest: Manifest, { agentPublicKey, serverPublicKey }: TrustedKeys): void {
  try {
    verifySignature(manifest, { signer: 'agent', publicKey: agentPublicKey, signature: manifest.signatures.agent });
    if (serverPublicKey === undefined) return;
    if (manifest.signatures.server === undefined) {
      throw new AppError(
        'MANIFEST_INVALID',
        'The server has not counter-signed this manifest, so it never accepted the backup. Use another backup.',
      );
    }
    verifySignature(manifest, { signer: 'server', publicKey: serverPublicKey, signature: manifest.signatures.server });
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw new AppError(
      'MANIFEST_INVALID',
      `${error.message} (backup ${manifest.backupId}, agent ${manifest.agentId})`,
      undefined,
      { cause: error },
    );
  }
}
