import { createHash } from 'node:crypto';
import { fromBase64 } from './base64.js';
import { CryptoError } from './crypto-error.js';
import { RAW_KEY_SIZE } from './raw-keys.js';
import { assertRecipient, parseTypedIdentity } from './recovery-identity.js';

/** A pinned Ed25519 key: `id` the agent's id or the server key's id (no spaces), `publicKey` raw base64. */
export interface PinnedKey {
  readonly id: string;
  readonly publicKey: string;
}

export interface RecoveryKit {
  readonly workspaceName: string;
  readonly identity: string;
  readonly recipient: string;
  readonly agentKeys: readonly PinnedKey[];
  readonly serverKeys: readonly PinnedKey[];
  /** ISO 8601. */
  readonly createdAt: string;
}

/** The public part of a kit: what an import of backups needs, and what makes a manifest genuine. */
export type PinnedKeys = Pick<RecoveryKit, 'agentKeys' | 'serverKeys'>;

/** What a program needs of a kit. Names and dates are for people. */
export type RecoveryKitKeys = Pick<RecoveryKit, 'identity' | 'recipient' | 'agentKeys' | 'serverKeys'>;

const CHECK_DIGITS = 8;

/** Eight hex digits over what a line says, so that a slip in typing is found on its line. */
const checkOf = (...parts: readonly string[]): string =>
  createHash('sha256')
    .update(`rahatback/1 kit\0${parts.join('\0')}`)
    .digest('hex')
    .slice(0, CHECK_DIGITS);

const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();

const IDENTITY_HEAD = 'AGE-SECRET-KEY-1';
const GROUP = 4;
const GROUPS_PER_LINE = 5;

const groupedIdentity = (identity: string): string[] => {
  const groups = identity.slice(IDENTITY_HEAD.length).match(new RegExp(`.{1,${GROUP}}`, 'g')) ?? [];
  const lines = Array.from({ length: Math.ceil(groups.length / GROUPS_PER_LINE) }, (_, line) =>
    groups.slice(line * GROUPS_PER_LINE, (line + 1) * GROUPS_PER_LINE).join(' '),
  );
  return [`    ${IDENTITY_HEAD}`, ...lines.map((line) => `    ${line}`)];
};

const pinnedLines = (kind: 'agent' | 'server', keys: readonly PinnedKey[]): string[] =>
  keys.length === 0
    ? ['    -']
    : keys.map(({ id, publicKey }) => {
        if (/\s/.test(id) || id === '') throw new RangeError('The id of a pinned key has no spaces.');
        return `    ${kind} ${id} ${publicKey} ${checkOf(kind, id, publicKey)}`;
      });

/**
 * The kit as plain text of 78 columns at most but for the key lines, English and Turkish, to be printed and kept offline. It holds the
 * private identity: never log or send it. Throws RECOVERY_KEY_INVALID for a malformed identity or recipient.
 */
export const recoveryKitText = (kit: RecoveryKit): string => {
  const identity = parseTypedIdentity(kit.identity);
  assertRecipient(kit.recipient);
  return [
    'RAHATBACK RECOVERY KIT / KURTARMA KİTİ',
    '======================================',
    `Workspace / Çalışma alanı: ${oneLine(kit.workspaceName)}`,
    `Created / Oluşturulma:     ${oneLine(kit.createdAt)}`,
    '',
    'EN  Print this page and keep it offline. Whoever holds it can read all backups',
    '    of this workspace. Without it, and without a working agent, nobody can.',
    'TR  Bu sayfayı yazdırın ve çevrimdışı saklayın. Elinde bulunduran herkes bu',
    '    çalışma alanının tüm yedeklerini okuyabilir. Bu sayfa ve çalışan bir ajan',
    '    olmadan yedekleri hiç kimse okuyamaz.',
    '',
    'SECRET IDENTITY / GİZLİ KİMLİK   (spaces do not matter / boşluklar önemsizdir)',
    '',
    ...groupedIdentity(identity),
    '',
    `    Check / Kontrol: ${checkOf(identity)}`,
    '',
    'PUBLIC RECIPIENT / AÇIK ALICI',
    `    ${kit.recipient}`,
    '',
    'PINNED KEYS / SABİTLENMİŞ ANAHTARLAR   (they prove a manifest genuine /',
    '                                        manifestin gerçek olduğunu kanıtlarlar)',
    ...pinnedLines('agent', kit.agentKeys),
    ...pinnedLines('server', kit.serverKeys),
    '',
    'EN  With RahatBack:    rahatback-agent restore --help',
    '    Without RahatBack: docs/RECOVERY.md, or in short: take `data` of the slot',
    '    "age" in keys-<n>.json, base64 -d, age -d -i <file with the identity>; the',
    '    result is a Tink keyset that any Tink library decrypts the data with.',
    'TR  RahatBack ile:     rahatback-agent restore --help',
    '    RahatBack olmadan: docs/RECOVERY.md, kısaca: keys-<n>.json içindeki "age"',
    '    yuvasının `data` alanını alın, base64 -d, age -d -i <kimlik dosyası>; sonuç,',
    '    veriyi herhangi bir Tink kütüphanesiyle açan bir Tink anahtar kümesidir.',
    '',
  ].join('\n');
};

/**
 * The pinned keys alone, to be printed again and kept with the kit whenever an agent was added: a kit is made before there is any. Holds nothing
 * secret. A kit and these lines, in one file, are read as one kit.
 */
export const pinnedKeysText = (pinned: PinnedKeys & Pick<RecoveryKit, 'workspaceName' | 'createdAt'>): string =>
  [
    'RAHATBACK PINNED KEYS / SABİTLENMİŞ ANAHTARLAR',
    '==============================================',
    `Workspace / Çalışma alanı: ${oneLine(pinned.workspaceName)}`,
    `Created / Oluşturulma:     ${oneLine(pinned.createdAt)}`,
    '',
    'EN  Public. Keep this page with the recovery kit: it proves backups genuine',
    '    when the server is gone. Print it again when an agent was added.',
    'TR  Herkese açıktır. Bu sayfayı kurtarma kitiyle birlikte saklayın: sunucu',
    '    yok olduğunda yedeklerin gerçek olduğunu kanıtlar. Yeni bir ajan',
    '    eklendiğinde yeniden yazdırın.',
    '',
    ...pinnedLines('agent', pinned.agentKeys),
    ...pinnedLines('server', pinned.serverKeys),
    '',
  ].join('\n');

const differs = (what: string): CryptoError =>
  new CryptoError(
    'RECOVERY_KEY_INVALID',
    `${what} does not match its check digits. Compare it with the printed kit, character by character.`,
  );

/** Every line that begins as a pinned key must be one: a slip in it must not make the pin vanish. */
const parsePinned = (text: string, kind: 'agent' | 'server'): PinnedKey[] =>
  [...text.matchAll(new RegExp(`^[ \\t]*${kind}\\s+(\\S+)\\s+([A-Za-z0-9+/=]{30,})\\s+(\\S+)`, 'gm'))].map(
    ([, id = '', publicKey = '', check]) => {
      if (checkOf(kind, id, publicKey) !== check || !fromBase64(publicKey, RAW_KEY_SIZE))
        throw differs(`The key of ${kind} ${id}`);
      return { id, publicKey };
    },
  );

/** The pinned keys of a kit or of a page of pinned keys. Throws RECOVERY_KEY_INVALID naming the one that is mistyped. */
export const parsePinnedKeys = (text: string): PinnedKeys => ({
  agentKeys: parsePinned(text, 'agent'),
  serverKeys: parsePinned(text, 'server'),
});

/**
 * Reads a kit back, typed or pasted: other spacing and line breaks, another case of the identity, and missing sentences do not matter.
 * Throws RECOVERY_KEY_INVALID when identity, recipient or a pinned key is missing or mistyped, naming which.
 */
export const parseRecoveryKit = (text: string): RecoveryKitKeys => {
  const identity = parseTypedIdentity(text);
  const check = /Check\s*\/\s*Kontrol\s*:\s*(\S+)/i.exec(text)?.[1];
  if (check !== undefined && check.toLowerCase() !== checkOf(identity)) throw differs('The secret identity');
  const recipient = /\bage1[02-9ac-hj-np-z]{58}\b/.exec(text)?.[0] ?? '';
  assertRecipient(recipient);
  return { identity, recipient, ...parsePinnedKeys(text) };
};
