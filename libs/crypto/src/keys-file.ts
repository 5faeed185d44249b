import { createHash } from 'node:crypto';
import { wrapAgeSlot } from './age-slot.js';
import { wrapArgon2idSlot, type PassphraseKek } from './argon2id-slot.js';
import { canonicalJson } from './canonical-json.js';
import { commitmentOf } from './commitment.js';
import { CryptoError } from './crypto-error.js';
import { wrapHpkeSlot, type SlotAgent } from './hpke-slot.js';
import { assertKeysFileShape, type KeysFile, type KeySlot } from './keys-file-shape.js';
import { KEYS_FORMAT, type KeysContext } from './slot-context.js';

export type { KeysFile, KeySlot } from './keys-file-shape.js';

export interface NewKeysFile {
  readonly dek: Uint8Array;
  readonly context: KeysContext;
  /** 1 when left out; a rotation writes the next one. */
  readonly generation?: number;
  readonly agents: readonly SlotAgent[];
  /** Recovery recipients (`age1…`). */
  readonly ageRecipients: readonly string[];
  readonly passphrase?: PassphraseKek;
  /** Slots of an earlier generation of the same backup to carry over as they are. */
  readonly keepSlots?: readonly KeySlot[];
}

const checksumOf = (body: Omit<KeysFile, 'checksum'>): string => createHash('sha256').update(canonicalJson(body)).digest('hex');

const wrapSlots = async ({
  dek,
  context,
  agents,
  ageRecipients,
  passphrase,
  keepSlots = [],
}: NewKeysFile): Promise<KeySlot[]> => [
  ...keepSlots,
  ...(await Promise.all(agents.map((agent) => wrapHpkeSlot(dek, agent, context)))),
  ...(ageRecipients.length > 0 ? [await wrapAgeSlot(dek, ageRecipients)] : []),
  ...(passphrase ? [wrapArgon2idSlot(dek, passphrase, context)] : []),
];

/**
 * Wraps the data key for agents, recovery identities and, if given, a passphrase. Derives no KEK, so it takes milliseconds. Two calls
 * give two files that open the same key. Throws KEYS_INVALID without a slot, with two slots for one agent, or for a bad agent key;
 * RECOVERY_KEY_INVALID, KDF_PARAMS_REFUSED.
 */
export const createKeysFile = async (request: NewKeysFile): Promise<KeysFile> => {
  const { dek, generation = 1 } = request;
  const { workspace, database, backupId, chainId } = request.context;
  const body = {
    format: KEYS_FORMAT,
    generation,
    workspace,
    database,
    backupId,
    chainId,
    commitment: commitmentOf(dek, request.context),
    slots: await wrapSlots(request),
  } as const;
  const file: KeysFile = { ...body, checksum: checksumOf(body) };
  assertKeysFileShape(file); // what a reader would refuse is never written
  return file;
};

/** The bytes to store. */
export const serializeKeysFile = (file: KeysFile): Buffer => Buffer.from(`${JSON.stringify(file, null, 2)}\n`, 'utf8');

// Thousands of slots fit; anything larger is not ours and is not parsed.
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Reads the bytes of a keys file, strictly: an unknown member or kind of slot is refused, since a new one would be a new format.
 * Throws KEYS_INVALID for a file cut short or damaged (use the previous generation), FORMAT_UNSUPPORTED for one of another version.
 */
export const parseKeysFile = (bytes: Uint8Array): KeysFile => {
  if (bytes.length > MAX_BYTES) throw new CryptoError('KEYS_INVALID', `The keys file is larger than ${MAX_BYTES} bytes.`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new CryptoError(
      'KEYS_INVALID',
      'The keys file is cut short or not JSON. Use another generation or copy of it.',
      {},
      { cause },
    );
  }
  const format: unknown = typeof parsed === 'object' && parsed !== null && 'format' in parsed ? parsed.format : undefined;
  if (typeof format === 'string' && format !== KEYS_FORMAT && format.startsWith('rahatback-keys/')) {
    throw new CryptoError('FORMAT_UNSUPPORTED', `This RahatBack reads ${KEYS_FORMAT}. Use a newer one.`, { format });
  }
  assertKeysFileShape(parsed);
  const { checksum, ...body } = parsed;
  if (checksumOf(body) !== checksum) {
    throw new CryptoError(
      'KEYS_INVALID',
      'The keys file is damaged: its checksum differs. Use another generation or copy of it.',
      {
        generation: parsed.generation,
      },
    );
  }
  return parsed;
};
