import { sign, verify } from 'node:crypto';
import { fromBase64, toBase64 } from './base64.js';
import { canonicalJson, isWellFormed } from './canonical-json.js';
import { CryptoError } from './crypto-error.js';
import { generateKeyPair, importPrivateKey, importPublicKey, type RawKeyPair } from './raw-keys.js';

/** Ed25519: an agent's identity, or a server's command key. */
export const generateSigningKeyPair = (): RawKeyPair => generateKeyPair('ed25519');

/** X25519: what secrets and data keys are sealed to. */
export const generateSealKeyPair = (): RawKeyPair => generateKeyPair('x25519');

const SIGNATURE_SIZE = 64;

/** Ed25519 (RFC 8032), base64. `privateKey`: raw base64 or PKCS#8 PEM. Sign only bytes that begin with a domain, as all below do. */
export const signBytes = (privateKey: string, bytes: Uint8Array): string =>
  toBase64(sign(null, bytes, importPrivateKey('ed25519', privateKey)));

/** False for a signature that is malformed or not of these bytes by this key. Throws KEYS_INVALID for a malformed public key. */
export const verifyBytes = (publicKey: string, bytes: Uint8Array, signature: string): boolean => {
  const key = importPublicKey('ed25519', publicKey);
  const raw = fromBase64(signature, SIGNATURE_SIZE);
  return raw !== null && verify(null, bytes, key, raw);
};

/** `rahatback/1 <purpose>\0` in front, so that a signature made for one purpose is worth nothing for another. */
const inDomain = (purpose: string, bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from(`rahatback/1 ${purpose}\0`), bytes]);

const commandBytes = (rawJson: string | Uint8Array): Buffer => inDomain('command', Buffer.from(rawJson));

/** Signs a command's JSON exactly as it goes over the wire: nobody re-serialises what was signed. */
export const signCommand = (privateKey: string, rawJson: string | Uint8Array): string =>
  signBytes(privateKey, commandBytes(rawJson));

/** False as well for characters that no UTF-8 has: they would be signed as U+FFFD and read as something else. */
export const verifyCommand = (publicKey: string, rawJson: string | Uint8Array, signature: string): boolean =>
  (typeof rawJson !== 'string' || isWellFormed(rawJson)) && verifyBytes(publicKey, commandBytes(rawJson), signature);

export interface SessionChallenge {
  readonly serverId: string;
  readonly agentId: string;
  /** As the server sent it. */
  readonly nonce: string;
  readonly generation: number;
}

/** What an agent signs to open a session. No clock is involved, so a wrong one locks nobody out. */
export const sessionProofBytes = ({ serverId, agentId, nonce, generation }: SessionChallenge): Buffer =>
  inDomain('session', canonicalJson({ serverId, agentId, nonce, generation }));

export interface Enrolment {
  readonly codeSha256Hex: string;
  readonly signPublicKey: string;
  readonly sealPublicKey: string;
}

/** What an agent signs to enrol: proof that it holds the signing key, bound to this code and to its sealing key. */
export const enrolProofBytes = ({ codeSha256Hex, signPublicKey, sealPublicKey }: Enrolment): Buffer =>
  inDomain('enrol', canonicalJson({ codeSha256Hex, signPublicKey, sealPublicKey }));

/** The agent signs what it wrote; the server counter-signs what it accepted. */
export type ManifestSigner = 'agent' | 'server';

/** What is signed: the JCS bytes of the manifest without its top-level member `signatures`, in the signer's own domain. */
export const manifestBytes = (manifest: object, signer: ManifestSigner): Buffer => {
  const unsigned = Object.fromEntries(Object.entries(manifest).filter(([name]) => name !== 'signatures'));
  return inDomain(`manifest ${signer}`, canonicalJson(unsigned));
};

/** Base64 signature, to be put below `manifest.signatures`; that member is not part of what is signed. */
export const signManifest = (manifest: object, signer: ManifestSigner, privateKey: string): string =>
  signBytes(privateKey, manifestBytes(manifest, signer));

export interface ManifestSignature {
  readonly signer: ManifestSigner;
  /** A pinned key: from the enrolment or the recovery kit, never from the manifest itself. */
  readonly publicKey: string;
  readonly signature: string;
}

/** Throws MANIFEST_INVALID unless `manifest` is what that signer signed. */
export const verifyManifest = (manifest: object, { signer, publicKey, signature }: ManifestSignature): void => {
  if (verifyBytes(publicKey, manifestBytes(manifest, signer), signature)) return;
  throw new CryptoError(
    'MANIFEST_INVALID',
    `The manifest is not as the ${signer} signed it. Do not restore it; use another backup.`,
    {
      signer,
    },
  );
};
