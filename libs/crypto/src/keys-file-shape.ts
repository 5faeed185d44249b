import type { AgeSlot } from './age-slot.js';
import type { Argon2idSlot } from './argon2id-slot.js';
import { fromBase64 } from './base64.js';
import { isWellFormed } from './canonical-json.js';
import { CryptoError } from './crypto-error.js';
import type { HpkeSlot } from './hpke-slot.js';
import { KEYS_FORMAT, type KeysContext } from './slot-context.js';

export type KeySlot = HpkeSlot | AgeSlot | Argon2idSlot;

/**
 * `keys-<generation>.json`: every way to the data key of one backup. Written as indented JSON, so that `jq` and eyes can read it.
 * `commitment` is `commitmentOf` the data key. `checksum` is SHA-256 (hex) of the JCS bytes of all the rest: it proves nothing against
 * an attacker (slots and commitment do), it tells a damaged file from a wrong key.
 */
export interface KeysFile extends KeysContext {
  readonly format: typeof KEYS_FORMAT;
  readonly generation: number;
  readonly commitment: string;
  readonly slots: readonly KeySlot[];
  readonly checksum: string;
}

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

/** Half of a surrogate pair has no canonical JSON, so no checksum. */
const text: Check = (value) => typeof value === 'string' && value.length > 0 && value.length <= 1_000 && isWellFormed(value);
const base64 =
  (sizeBytes?: number): Check =>
  (value) =>
    fromBase64(value, sizeBytes) !== null;
const count: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 1;
const texts: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(text);

const SLOTS: Readonly<Record<string, Shape>> = {
  hpke: { type: text, agentId: text, sealPublicKey: base64(32), enc: base64(32), ciphertext: base64(48) },
  age: { type: text, recipients: texts, data: base64() },
  // The cost is judged when the slot is used, so that one bad slot does not take the others with it.
  argon2id: {
    type: text,
    salt: base64(16),
    memoryKib: count,
    passes: count,
    parallelism: count,
    nonce: base64(12),
    ciphertext: base64(48),
  },
};

const FILE: Shape = {
  format: (value) => value === KEYS_FORMAT,
  generation: count,
  workspace: text,
  database: text,
  backupId: text,
  chainId: text,
  commitment: base64(32),
  slots: (value) => Array.isArray(value) && value.length > 0,
  checksum: (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
};

const refuse = (what: string): never => {
  throw new CryptoError('KEYS_INVALID', `The keys file is not valid: ${what}. Use another generation or copy of it.`);
};

function assertShape(value: unknown, shape: Shape, where: string): asserts value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(`${where} is not an object`);
  for (const name of Object.keys(value)) if (!Object.hasOwn(shape, name)) refuse(`${where} has an unknown member`);
  for (const [name, check] of Object.entries(shape)) {
    if (!Object.hasOwn(value, name) || !check((value as Record<string, unknown>)[name]))
      refuse(`${where}.${name} is missing or wrong`);
  }
}

/** Throws KEYS_INVALID, naming the member but never its value, unless `value` has exactly the shape of a keys file. */
export function assertKeysFileShape(value: unknown): asserts value is KeysFile {
  assertShape(value, FILE, 'file');
  const owners = new Set<string>();
  for (const [index, slot] of (value['slots'] as unknown[]).entries()) {
    const type: unknown = typeof slot === 'object' && slot !== null && 'type' in slot ? slot.type : undefined;
    const shape = typeof type === 'string' && Object.hasOwn(SLOTS, type) ? SLOTS[type] : undefined;
    if (!shape) return refuse(`slots[${index}] is of an unknown type`);
    assertShape(slot, shape, `slots[${index}]`);
    // One slot per agent, one for recovery, one for the passphrase: a second would leave open which one counts.
    const owner = type === 'hpke' ? `hpke ${String(slot['agentId'])}` : String(type);
    if (owners.has(owner)) refuse(`slots[${index}] repeats an earlier slot`);
    owners.add(owner);
  }
}
