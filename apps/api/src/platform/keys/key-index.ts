import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@rahatback/contracts';
import { z } from 'zod';

export const KEYS_INDEX = 'keys.json';

export const keyFile = (dir: string, keyId: string): string => join(dir, `${keyId}.key`);

/** `live`: every key that still opens. `next`: the one of them that seals as soon as all processes know it. */
export const kekSlot = z.object({
  current: z.string(),
  live: z.array(z.string()).min(1).max(2),
  next: z.string().optional(),
});
export type KekSlot = z.infer<typeof kekSlot>;

/** @throws SyntaxError or ZodError for a text that is no index */
export const kekSlotOf = (index: string): KekSlot => z.object({ kek: kekSlot }).parse(JSON.parse(index)).kek;

/** @throws AppError CONFIG_INVALID when there is no index, or a damaged one */
export async function readKekSlot(dir: string): Promise<KekSlot> {
  try {
    return kekSlotOf(await readFile(join(dir, KEYS_INDEX), 'utf8'));
  } catch {
    throw new AppError(
      'CONFIG_INVALID',
      `${join(dir, KEYS_INDEX)} is missing or damaged. Put it back from your copy of the keys folder.`,
    );
  }
}

/** The 32 bytes of a key-encryption key. @throws AppError CONFIG_INVALID naming the file */
export async function readKek(dir: string, kid: string): Promise<Buffer> {
  const key = Buffer.from(await readFile(keyFile(dir, kid), 'utf8').catch(() => ''), 'base64');
  if (key.length === 32) return key;
  throw new AppError(
    'CONFIG_INVALID',
    `The key file ${keyFile(dir, kid)} is missing or damaged. Put it back from your copy of the keys folder.`,
  );
}

/** Makes a key and its file; no index names it yet. */
export async function makeKek(dir: string): Promise<string> {
  const kid = `kek-${randomBytes(6).toString('hex')}`;
  await writeFile(keyFile(dir, kid), randomBytes(32).toString('base64'), { mode: 0o600, flag: 'wx', flush: true });
  await syncFolder(dir);
  return kid;
}

/** Replaces the entry of the key-encryption keys, and nothing else of the index. All or nothing, also when the power goes. */
export async function writeKekSlot(dir: string, slot: KekSlot): Promise<void> {
  const path = join(dir, KEYS_INDEX);
  const index = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  const draft = join(dir, `.${KEYS_INDEX}-${randomBytes(6).toString('hex')}`);
  try {
    await writeFile(draft, `${JSON.stringify({ ...index, kek: slot }, undefined, 2)}\n`, { mode: 0o600, flush: true });
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(dir);
}

async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
