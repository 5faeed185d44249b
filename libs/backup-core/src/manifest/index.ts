/** What the server needs of a backup: its manifest. Loads no database driver. */
export {
  ENCRYPTION_SUITE,
  FORMAT_VERSION,
  type Manifest,
  type ManifestBody,
  type ManifestChain,
  type ManifestSignatures,
} from './manifest.js';
export { MANIFEST_MAX_BYTES, parseManifest } from './parse-manifest.js';
export { counterSign, serializeManifest, signAsAgent, verifyManifest, type TrustedKeys } from './sign-manifest.js';
export { INDEX_OBJECT, keysObject, MANIFEST_OBJECT, volumeObject } from '../volumes/object-context.js';
export type { ObjectRecord } from '../volumes/encrypted-object.js';
