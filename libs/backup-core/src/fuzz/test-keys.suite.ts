import { publicKeyOf, type StreamParams } from '@rahatback/crypto';
import { createHash } from 'node:crypto';

/** Keys of the fixtures: made of their names, so that they stand nowhere else, and worth nothing. */
const derived = (name: string): Buffer => createHash('sha256').update(`rahatback fixtures ${name}`).digest();
const pairOf = (curve: 'ed25519' | 'x25519', name: string): { readonly privateKey: string; readonly publicKey: string } => {
  const privateKey = derived(name).toString('base64');
  return { privateKey, publicKey: publicKeyOf(curve, privateKey) };
};

export const TEST_DEK = derived('data key');
export const OTHER_DEK = derived('another data key');
export const TEST_KEK = derived('passphrase key');
export const OTHER_KEK = derived('another passphrase key');
export const KDF = { salt: derived('salt').subarray(0, 16).toString('base64'), memoryKib: 65_536, passes: 1, parallelism: 1 };
export const AGENT_SIGN = pairOf('ed25519', 'agent sign');
export const SERVER_SIGN = pairOf('ed25519', 'server sign');
export const AGENT_SEAL = pairOf('x25519', 'agent seal');
export const OTHER_SEAL = pairOf('x25519', 'another agent seal');
export const KEYS_CONTEXT = { workspace: 'w-1', database: 'd-1', backupId: 'b-1', chainId: 'c-1' };
export const KEYRING = { current: { kid: 'k2', key: derived('keyring 2') }, previous: { kid: 'k1', key: derived('keyring 1') } };
export const FIELD = { table: 'databases', column: 'password', rowId: 'r-1', workspaceId: 'w-1' };
/** Segments of 128 bytes: an object of a few hundred bytes has several. */
export const SMALL_STREAM: StreamParams = { hash: 'sha256', derivedKeySize: 32, segmentSize: 128 };
export const STREAM_AAD = Buffer.from('rahatback fixtures stream');
export const streamOptions = { key: TEST_DEK, associatedData: STREAM_AAD, params: SMALL_STREAM };
export const fixedHeader = (name: string): { readonly salt: Buffer; readonly noncePrefix: Buffer } => ({
  salt: derived(`${name} salt`),
  noncePrefix: derived(`${name} nonce`).subarray(0, 7),
});
