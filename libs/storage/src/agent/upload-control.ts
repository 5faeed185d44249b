import type { SignedRequest } from '@rahatback/contracts';
import type { PartAnnouncement, UploadedPart } from './part-upload.js';

/**
 * What the sink asks of the server, over whatever the caller has (the agent: `upload:*` frames of its socket). Each call may run twice; AppErrors with
 * UNAVAILABLE, AGENT_TIMEOUT, RATE_LIMITED or a transient storage code are tried again, all others end the object.
 */
export interface UploadControl {
  /** Opens the upload of an object and says how its parts must be cut. */
  begin(object: string): Promise<{ readonly partSizeBytes: number; readonly maxParts: number }>;
  signPart(object: string, part: PartAnnouncement): Promise<SignedRequest>;
  /** Resolves when the object stands under its name and its size and checksum were confirmed; with the store's stamp of it, if it was told. */
  complete(
    object: string,
    upload: { readonly sizeBytes: number; readonly sha256: string; readonly parts: readonly UploadedPart[] },
  ): Promise<{ readonly stamp?: string }>;
  publish(object: string, bytes: Buffer): Promise<void>;
  /** Frees every upload that was begun and not completed. */
  abort(): Promise<void>;
}
