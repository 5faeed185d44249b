import type { KeyObject } from 'node:crypto';
import type { Keyring } from '@rahatback/crypto';

/** Signs commands and manifests. `privateKey` is PKCS#8 PEM, `publicKeyBase64` the raw 32 bytes. */
export interface SigningKey {
  readonly keyId: string;
  readonly privateKey: string;
  readonly publicKeyBase64: string;
}

/** The public half of a signing key that was renewed: what it signed until then stays signed. `retiredAt` in UTC. */
export interface FormerKey {
  readonly keyId: string;
  readonly publicKeyBase64: string;
  readonly retiredAt: string;
}

export interface JwtKeys {
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** Also the retired ones, for as long as tokens of theirs live. */
  readonly publicKeys: ReadonlyMap<string, KeyObject>;
}

/** What the server must never lose and never show. Read once at start from the keys folder; injection token. */
export abstract class ServerKeys {
  abstract readonly serverId: string;
  abstract readonly commandKey: SigningKey;
  abstract readonly manifestKey: SigningKey;
  /** Former keys of the same purpose. They come from the keys folder, so whoever writes PostgreSQL cannot add one. */
  abstract readonly formerManifestKeys: readonly FormerKey[];
  abstract readonly jwt: JwtKeys;
  /** Key-encryption keys: what `sealField` and `openField` of libs/crypto take. Ask each time: a rotation changes them under a running process. */
  abstract readonly kek: Keyring;
  /** Makes a refresh token's successor out of its parent, so that a lost answer can be given again without keeping it in clear. */
  abstract readonly refreshKey: Buffer;
}
