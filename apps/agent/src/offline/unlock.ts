import type { TrustedKeys } from '@rahatback/backup-core';
import { AppError } from '@rahatback/contracts';
import {
  generateSigningKeyPair,
  openWithAgeIdentity,
  openWithAgentKey,
  openWithPassphrase,
  parseRecoveryKit,
  parseTypedIdentity,
  type KeysFile,
  type PinnedKey,
} from '@rahatback/crypto';
import { askSecret, readSecretFile, readTextFile } from '../cli/secret-input.js';
import { note, type CliContext } from '../cli/cli-context.js';
import type { BackupSource } from '@rahatback/storage/agent';
import { readIdentity, readKeys } from '../state/identity.store.js';
import { VouchedSource } from './vouched-source.js';

export interface UnlockOptions {
  /** A recovery kit, or a file with an age identity. */
  readonly identity?: string | undefined;
  readonly passphraseFile?: string | undefined;
  /** Ask for the passphrase. */
  readonly passphrase?: boolean | undefined;
  /** `<agent id>=<base64 key>`: whose signature to believe. */
  readonly agentKey?: readonly string[] | undefined;
  /** Take a manifest whose signer is not known. */
  readonly acceptUnsigned?: boolean | undefined;
}

export interface Unlocker {
  unlock(keys: KeysFile): Promise<Buffer>;
  /** @throws AppError MANIFEST_INVALID for an agent that nobody vouches for */
  trust(agentId: string): TrustedKeys;
  /** What to read through: the source itself, or one whose manifest the person vouches for. */
  wrap(source: BackupSource): BackupSource;
}

function pinnedKeys(given: readonly string[]): PinnedKey[] {
  return given.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new AppError('VALIDATION', '--agent-key is written <agent id>=<public key in base64>.');
    return { id: text.slice(0, at), publicKey: text.slice(at + 1) };
  });
}

/** A whole kit also pins keys; a bare identity does not. */
function pinnedInKit(text: string): readonly PinnedKey[] {
  return /^\s*agent\s/m.test(text) ? parseRecoveryKit(text).agentKeys : [];
}

interface Opener {
  readonly unlock: (keys: KeysFile) => Promise<Buffer>;
  readonly pinned: readonly PinnedKey[];
}

async function openerOf(context: CliContext, options: UnlockOptions): Promise<Opener> {
  if (options.identity !== undefined) {
    const text = await readTextFile(options.identity);
    const identity = parseTypedIdentity(text);
    return { unlock: (keys) => openWithAgeIdentity(keys, identity), pinned: pinnedInKit(text) };
  }
  if (options.passphraseFile !== undefined) {
    const passphrase = await readSecretFile(options.passphraseFile);
    return { unlock: (keys) => openWithPassphrase(keys, passphrase), pinned: [] };
  }
  if (options.passphrase === true) {
    let asked: Promise<string> | undefined;
    const ask = (): Promise<string> => (asked ??= askSecret(context, 'Passphrase'));
    return { unlock: async (keys) => openWithPassphrase(keys, await ask()), pinned: [] };
  }
  const own = await readKeys(context.home);
  if (own === null) {
    throw new AppError(
      'WRONG_KEY',
      'This machine holds no agent key: give --identity <kit or identity file>, --passphrase-file or --passphrase.',
    );
  }
  return { unlock: (keys) => openWithAgentKey(keys, own.seal.privateKey), pinned: [] };
}

function vouching(context: CliContext): Pick<Unlocker, 'trust' | 'wrap'> {
  const { publicKey, privateKey } = generateSigningKeyPair();
  note(context, 'Warning: the signature of the manifest is not checked. Only go on if nobody else could write to this storage.');
  return { trust: () => ({ agentPublicKey: publicKey }), wrap: (source) => new VouchedSource(source, privateKey) };
}

async function ownKey({ home }: CliContext): Promise<PinnedKey[]> {
  const [identity, keys] = [await readIdentity(home), await readKeys(home)];
  return identity && keys ? [{ id: identity.agentId, publicKey: keys.sign.publicKey }] : [];
}

/**
 * How to open a backup, and whose signature makes it genuine: this machine's own agent, the kit's pinned keys, or keys that a person names. A dump is
 * code, and anybody who can write to the storage could encrypt one to a public key: an unknown signer is refused unless a person says otherwise.
 */
export async function unlockerOf(context: CliContext, options: UnlockOptions): Promise<Unlocker> {
  const { unlock, pinned } = await openerOf(context, options);
  if (options.acceptUnsigned === true) return { unlock, ...vouching(context) };
  const known = [...pinnedKeys(options.agentKey ?? []), ...pinned, ...(await ownKey(context))];
  return {
    unlock,
    wrap: (source) => source,
    trust: (agentId) => {
      const key = known.find(({ id }) => id === agentId);
      if (key !== undefined) return { agentPublicKey: key.publicKey };
      throw new AppError(
        'MANIFEST_INVALID',
        `The backup is signed by agent ${agentId}, whose key is neither here nor in the kit. Give it with --agent-key ${agentId}=<key> ` +
          '(`rahatback-agent status` shows it there), or --accept-unsigned if you trust whoever could write to the storage.',
      );
    },
  };
}
