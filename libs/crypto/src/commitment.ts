import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { fromBase64, toBase64 } from './base64.js';
import { canonicalJson, FORMAT } from './canonical-json.js';
import { assertDek, DEK_SIZE } from './keyset.js';

/** The chain a data key belongs to: every backup of the chain has the same key, so it has the same commitment. */
export interface ChainContext {
  readonly workspace: string;
  readonly database: string;
  readonly chainId: string;
}

/** A fresh data key. One per chain, never used for another. */
export const generateDek = (): Buffer => randomBytes(DEK_SIZE);

/**
 * AES-GCM does not commit to its key: one ciphertext can be made that opens under two. So keys file and manifest carry
 * HMAC-SHA256(HKDF-SHA256(DEK, "", "rahatback/1 commit", 32), JCS({format, workspace, database, chainId})), which also tells a wrong
 * key apart from damaged data before any data is read. Base64, deterministic.
 */
export const commitmentOf = (dek: Uint8Array, { workspace, database, chainId }: ChainContext): string => {
  assertDek(dek);
  const key = Buffer.from(hkdfSync('sha256', dek, '', 'rahatback/1 commit', 32));
  return toBase64(
    createHmac('sha256', key)
      .update(canonicalJson({ format: FORMAT, workspace, database, chainId }))
      .digest(),
  );
};

/** True when `dek` is the key of that chain. Takes the same time for any wrong key. */
export const commitsTo = (commitment: string, dek: Uint8Array, context: ChainContext): boolean => {
  const expected = fromBase64(commitment, 32);
  return expected !== null && timingSafeEqual(expected, Buffer.from(commitmentOf(dek, context), 'base64'));
};
