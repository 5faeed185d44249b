import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@rahatback/contracts';
import { z } from 'zod';
import { newId } from '../ids.js';
import { kekSlot, keyFile, KEYS_INDEX as INDEX } from './key-index.js';
import { LiveKeyring } from './live-keyring.js';
import type { ServerKeys, SigningKey } from './server-keys.js';

const PURPOSES = ['command', 'manifest', 'jwt', 'kek', 'refresh'] as const;
type Purpose = (typeof PURPOSES)[number];

const slot = z.object({ current: z.string(), live: z.array(z.string()).min(1).max(2) });
const former = z.object({
  keyId: z.string().min(1),
  publicKeyBase64: z.base64().length(44),
  retiredAt: z.iso.datetime(),
});
const indexSchema = z.object({
  serverId: z.string().min(1),
  command: slot,
  manifest: slot,
  formerManifest: z.array(former).optional(),
  jwt: slot,
  kek: kekSlot,
  refresh: slot,
});
type Index = z.infer<typeof indexSchema>;

const makeKey = (purpose: Purpose): string => {
  if (purpose === 'kek' || purpose === 'refresh') return randomBytes(32).toString('base64');
  const pair = purpose === 'jwt' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  return pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
};

/**
 * Makes a full set of keys in an empty folder. Several processes may start at once: the index appears by link(2), so one set wins and the
 * others remove theirs. Does nothing when there is an index.
 */
export async function createKeys(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    throw new AppError(
      'CONFIG_INVALID',
      `The keys folder ${dir} cannot be made (${error.code}). Make it, and give it to the user that runs the server.`,
    );
  });
  if (await readIndexText(dir)) return;
  const slots = {} as Record<Purpose, { current: string; live: string[] }>;
  for (const purpose of PURPOSES) {
    const keyId = `${purpose}-${randomBytes(6).toString('hex')}`;
    await writeFile(keyFile(dir, keyId), makeKey(purpose), { mode: 0o600, flag: 'wx', flush: true });
    slots[purpose] = { current: keyId, live: [keyId] };
  }
  const draft = join(dir, `.${INDEX}-${randomBytes(6).toString('hex')}`);
  await writeFile(draft, `${JSON.stringify({ serverId: newId(), ...slots } satisfies Index, undefined, 2)}\n`, {
    mode: 0o600,
    flush: true,
  });
  try {
    await link(draft, join(dir, INDEX));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    for (const { current } of Object.values(slots)) await rm(keyFile(dir, current), { force: true });
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Reads the keys of `dir`; makes them first when the folder is empty.
 * @throws AppError CONFIG_INVALID naming the file when one is missing, malformed, or readable by others
 */
export async function loadKeys(dir: string): Promise<ServerKeys> {
  await createKeys(dir);
  const index = parseIndex(dir, (await readIndexText(dir)) ?? '');
  const jwt = new Map<string, KeyObject>();
  for (const keyId of index.jwt.live) jwt.set(keyId, createPublicKey(await readPem(dir, keyId)));
  const previous = index.kek.live.find((keyId) => keyId !== index.kek.current);
  const keyring = new LiveKeyring(dir, {
    current: { kid: index.kek.current, key: await readSecret(dir, index.kek.current) },
    ...(previous === undefined ? {} : { previous: { kid: previous, key: await readSecret(dir, previous) } }),
  });
  return {
    serverId: index.serverId,
    commandKey: await readSigningKey(dir, index.command.current),
    manifestKey: await readSigningKey(dir, index.manifest.current),
    formerManifestKeys: index.formerManifest ?? [],
    jwt: { kid: index.jwt.current, privateKey: createPrivateKey(await readPem(dir, index.jwt.current)), publicKeys: jwt },
    get kek() {
      return keyring.current();
    },
    refreshKey: await readSecret(dir, index.refresh.current),
  };
}

async function readIndexText(dir: string): Promise<string | undefined> {
  return readFile(join(dir, INDEX), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new AppError(
      'CONFIG_INVALID',
      `The keys in ${dir} cannot be read (${error.code}). Give the folder to the user that runs the server.`,
    );
  });
}

function parseIndex(dir: string, text: string): Index {
  try {
    return indexSchema.parse(JSON.parse(text));
  } catch {
    throw new AppError('CONFIG_INVALID', `${join(dir, INDEX)} is damaged. Put it back from your copy of the keys folder.`);
  }
}

async function readKeyFile(dir: string, keyId: string): Promise<string> {
  const path = keyFile(dir, keyId);
  const [text, { mode }] = await Promise.all([readFile(path, 'utf8'), stat(path)]).catch(() => {
    throw new AppError(
      'CONFIG_INVALID',
      `The key file ${path} is missing or unreadable. Put it back from your copy of the keys folder.`,
    );
  });
  if ((mode & 0o077) !== 0) {
    throw new AppError('CONFIG_INVALID', `The key file ${path} is open to other users. Run: chmod 600 ${path}`);
  }
  return text;
}

async function readPem(dir: string, keyId: string): Promise<string> {
  const text = await readKeyFile(dir, keyId);
  try {
    createPrivateKey(text);
  } catch {
    throw new AppError(
      'CONFIG_INVALID',
      `The key file ${keyFile(dir, keyId)} is damaged. Put it back from your copy of the keys folder.`,
    );
  }
  return text;
}

async function readSecret(dir: string, keyId: string): Promise<Buffer> {
  const secret = Buffer.from(await readKeyFile(dir, keyId), 'base64');
  if (secret.length !== 32) {
    throw new AppError(
      'CONFIG_INVALID',
      `The key file ${keyFile(dir, keyId)} is damaged. Put it back from your copy of the keys folder.`,
    );
  }
  return secret;
}

async function readSigningKey(dir: string, keyId: string): Promise<SigningKey> {
  const privateKey = await readPem(dir, keyId);
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { keyId, privateKey, publicKeyBase64: publicKey.subarray(-32).toString('base64') };
}
