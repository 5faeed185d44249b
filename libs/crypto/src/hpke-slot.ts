import { CryptoError } from './crypto-error.js';
import { hpkeOpen, hpkeSeal } from './hpke.js';
import { slotAssociatedData, type KeysContext } from './slot-context.js';

/** The data key sealed to one agent. `enc` and `ciphertext` as RFC 9180 names them, `sealPublicKey` the agent's X25519 key; base64. */
export interface HpkeSlot {
  readonly type: 'hpke';
  readonly agentId: string;
  readonly sealPublicKey: string;
  readonly enc: string;
  readonly ciphertext: string;
}

export interface SlotAgent {
  readonly agentId: string;
  readonly sealPublicKey: string;
}

const bindingOf = (context: KeysContext): { info: Buffer; aad: Buffer } => ({
  info: Buffer.from('rahatback/1 slot hpke'),
  aad: slotAssociatedData(context),
});

/** Throws KEYS_INVALID when the agent's public key is unusable. */
export const wrapHpkeSlot = async (dek: Uint8Array, agent: SlotAgent, context: KeysContext): Promise<HpkeSlot> => {
  const { agentId, sealPublicKey } = agent;
  return { type: 'hpke', agentId, sealPublicKey, ...(await hpkeSeal(sealPublicKey, dek, bindingOf(context))) };
};

/** `sealPrivateKey` must be the half of `slot.sealPublicKey`; then a slot that does not open was altered: KEYS_INVALID. */
export const unwrapHpkeSlot = async (slot: HpkeSlot, sealPrivateKey: string, context: KeysContext): Promise<Buffer> => {
  const dek = await hpkeOpen(sealPrivateKey, slot, bindingOf(context));
  if (dek) return dek;
  throw new CryptoError(
    'KEYS_INVALID',
    "The agent's slot was altered or belongs to another backup. Use another slot or generation.",
    {
      agentId: slot.agentId,
    },
  );
};
