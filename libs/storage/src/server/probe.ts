import { randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { AppError } from '@rahatback/contracts';
import type { ProbeAnswer, ProbeCheck, StorageBackend } from './storage-backend.js';

const FOLDER = 'rahatback-probe';

async function check(name: ProbeCheck['name'], run: () => Promise<void>): Promise<ProbeCheck> {
  try {
    await run();
    return { name, ok: true };
  } catch (error) {
    if (error instanceof AppError) return { name, ok: false, code: error.code, message: error.message };
    return {
      name,
      ok: false,
      code: 'INTERNAL',
      message: `The check could not be done (${error instanceof Error ? error.name : 'unknown error'}).`,
    };
  }
}

const unlike = (sentence: string): AppError => new AppError('STORAGE_PERMANENT', sentence);

/** The probe of every driver. Stops after a write that failed for a reason that would fail every other check alike. */
export async function probeBackend(backend: Omit<StorageBackend, 'probe'>): Promise<ProbeAnswer> {
  const key = `${FOLDER}/${randomUUID()}`;
  const bytes = Buffer.from(`rahatback probe ${key}`);
  const checks: ProbeCheck[] = [await check('write', async () => void (await backend.putIfAbsent(key, bytes)))];
  const isWritten = checks[0]?.ok === true;
  if (!isWritten && checks[0]?.code !== 'S3_DENIED') return { checks };

  if (isWritten) checks.push(await check('read', () => assertReadsBack(backend, key, bytes)));
  checks.push(await check('list', () => assertListed(backend, key, isWritten)));
  checks.push(
    await check('multipart', async () => {
      const uploadId = await backend.createUpload(`${key}-upload`);
      await backend.abortUpload(`${key}-upload`, uploadId);
      for await (const upload of backend.listUploads(`${key}-upload`))
        throw unlike(`An aborted upload (${upload.uploadId.slice(0, 8)}…) is still there.`);
    }),
  );
  if (isWritten) checks.push(await check('delete', () => assertDeletes(backend, key)));
  return { checks };
}

async function assertReadsBack(backend: Omit<StorageBackend, 'probe'>, key: string, bytes: Buffer): Promise<void> {
  const found = await buffer(await backend.read(key));
  if (!found.equals(bytes))
    throw unlike('The storage gave back other bytes than were written. Check the proxy or gateway in front of it.');
}

async function assertListed(backend: Omit<StorageBackend, 'probe'>, key: string, isWritten: boolean): Promise<void> {
  const keys: string[] = [];
  for await (const object of backend.list(key)) keys.push(object.key);
  if (isWritten && !keys.includes(key))
    throw unlike('An object just written is missing from the list. The storage must list what it holds.');
}

async function assertDeletes(backend: Omit<StorageBackend, 'probe'>, key: string): Promise<void> {
  await backend.delete(key);
  // A key that may not look cannot confirm it; the checks of reading and listing say so.
  const left = await backend.stat(key).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'S3_DENIED') return undefined;
    throw error;
  });
  if (left) throw unlike('A deleted object is still there. Retention could never free any space here.');
}
