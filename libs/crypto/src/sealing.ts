import { canonicalJson } from './canonical-json.js';
import { CryptoError } from './crypto-error.js';
import { hpkeOpen, hpkeSeal, type HpkeBinding, type HpkeCiphertext } from './hpke.js';

/** What a sealed secret is for. An agent opens it only under the same four, so it cannot be moved to another use. */
export interface SealBinding {
  readonly agentId: string;
  /** `database-password`, `passphrase-kek`, … */
  readonly purpose: string;
  /** The id of what it belongs to. */
  readonly subject: string;
  readonly version: number;
}

export interface SealRequest extends SealBinding {
  /** The agent's X25519 key, raw base64. */
  readonly recipientPublicKey: string;
  readonly plaintext: Uint8Array | string;
}

export interface OpenRequest extends SealBinding {
  /** The agent's X25519 private key, raw base64 or PEM. */
  readonly recipientPrivateKey: string;
  readonly sealed: HpkeCiphertext;
}

const bindingOf = ({ agentId, purpose, subject, version }: SealBinding): HpkeBinding => ({
  info: Buffer.from('rahatback/1 seal'),
  aad: canonicalJson({ agentId, purpose, subject, version }),
});

/** Seals a secret so that only that agent reads it, not even who sealed it. Base64 parts. Throws KEYS_INVALID for a bad public key. */
export const sealSecret = (request: SealRequest): Promise<HpkeCiphertext> =>
  hpkeSeal(request.recipientPublicKey, Buffer.from(request.plaintext), bindingOf(request));

/** Throws WRONG_KEY when the secret was sealed to another agent or for another use, or was altered. */
export const openSealed = async (request: OpenRequest): Promise<Buffer> => {
  const plaintext = await hpkeOpen(request.recipientPrivateKey, request.sealed, bindingOf(request));
  if (plaintext) return plaintext;
  const { agentId, purpose, subject, version } = request;
  throw new CryptoError('WRONG_KEY', `The ${purpose} was not sealed to this agent for this use. Enter it again in the console.`, {
    agentId,
    purpose,
    subject,
    version,
  });
};
