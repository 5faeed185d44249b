import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { MAX_PARTS_PER_VOLUME, STORAGE_PART_SIZE_BYTES } from '../limits.js';
import type { StorageBackend } from '../server/storage-backend.js';
import { lastCharacterChanged } from './objects-conformance.js';
import { sendSigned } from './signed-http.js';
import { collect, partRequest, putPart, uploadParts } from './upload-steps.js';

const EXPIRY_DEADLINE_MS = 20_000;

/** Everything about uploads in parts. */
export function describeUploads(get: () => StorageBackend): void {
  const key = (name: string): string => `uploads/${randomBytes(6).toString('hex')}/${name}`;
  const code = (expected: string): object => expect.objectContaining({ code: expected }) as object;
  const content = randomBytes(STORAGE_PART_SIZE_BYTES + 123_457);
  const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

  it('makes parts that came in any order one object, and completes it twice the same', async () => {
    const name = key('data-00001');
    const { uploadId, parts } = await uploadParts(get(), name, content);
    await putPart(get(), name, uploadId, { partNumber: 1, body: content.subarray(0, STORAGE_PART_SIZE_BYTES) });
    expect(await get().listParts(name, uploadId)).toEqual(
      parts.map(({ partNumber, sizeBytes, etag }) => ({ partNumber, sizeBytes, etag })),
    );
    expect(await get().stat(name)).toBeUndefined();
    expect((await collect(get().listUploads(name))).map((upload) => upload.uploadId)).toEqual([uploadId]);

    const request = { key: name, uploadId, parts, expectedSizeBytes: content.length };
    const stat = await get().completeUpload(request);
    expect(stat).toMatchObject({ key: name, sizeBytes: content.length, stamp: expect.any(String) as string });
    expect((await get().stat(name))?.stamp).toBe(stat.stamp);
    expect(sha256(await buffer(await get().read(name)))).toBe(sha256(content));
    expect(await collect(get().listUploads(name))).toEqual([]);
    expect(await get().completeUpload(request)).toMatchObject({ key: name, sizeBytes: content.length });
    await get().abortUpload(name, uploadId);
    expect(await get().stat(name)).toMatchObject({ sizeBytes: content.length, stamp: stat.stamp });
    // Other bytes of the same size under the same name.
    await get().delete(name);
    const other = Buffer.from(content);
    other[0] = (other[0] ?? 0) ^ 1;
    const again = await uploadParts(get(), name, other);
    await get().completeUpload({ key: name, ...again, expectedSizeBytes: other.length });
    expect((await get().stat(name))?.stamp).not.toBe(stat.stamp);
  });

  it('is completed by several at once as by one', async () => {
    for (let round = 0; round < 6; round += 1) {
      const name = key('data-00001');
      const { uploadId, parts } = await uploadParts(get(), name, content.subarray(0, 300_000));
      const request = { key: name, uploadId, parts, expectedSizeBytes: 300_000 };
      const stats = await Promise.all(Array.from({ length: 5 }, () => get().completeUpload(request)));
      expect(stats.map(({ sizeBytes }) => sizeBytes)).toEqual(Array.from({ length: 5 }, () => 300_000));
      expect(sha256(await buffer(await get().read(name)))).toBe(sha256(content.subarray(0, 300_000)));
    }
  });

  it('completes nothing while a part is missing, other or of another length', async () => {
    const name = key('data-00001');
    const { uploadId, parts } = await uploadParts(get(), name, content);
    const [first, second] = parts;
    if (!first || !second) throw new Error('two parts expected');
    const other = { ...second, etag: '0'.repeat(32), md5Hex: '0'.repeat(32) };
    const absent = { ...second, partNumber: 3 };
    const full = { ...second, sizeBytes: STORAGE_PART_SIZE_BYTES };
    const claims = [
      { parts: [], expectedSizeBytes: 0 },
      { parts: [second], expectedSizeBytes: second.sizeBytes },
      { parts: [first, other], expectedSizeBytes: content.length },
      { parts: [first, { ...second, sizeBytes: second.sizeBytes - 1 }], expectedSizeBytes: content.length - 1 },
      { parts: [first, full, absent], expectedSizeBytes: content.length + STORAGE_PART_SIZE_BYTES },
      { parts, expectedSizeBytes: content.length + 1 },
      { parts: [second, first], expectedSizeBytes: content.length },
    ];
    for (const claim of claims)
      await expect(get().completeUpload({ key: name, uploadId, ...claim })).rejects.toEqual(code('PART_INVALID'));
    expect(await get().stat(name)).toBeUndefined();
    await get().abortUpload(name, uploadId);
  });

  it('never completes over another object', async () => {
    const name = key('data-00001');
    const { uploadId, parts } = await uploadParts(get(), name, content);
    await get().putIfAbsent(name, Buffer.from('was here first'));
    await expect(get().completeUpload({ key: name, uploadId, parts, expectedSizeBytes: content.length })).rejects.toEqual(
      code('OBJECT_EXISTS'),
    );
    expect((await buffer(await get().read(name))).toString()).toBe('was here first');
    await get().abortUpload(name, uploadId);
  });

  it('aborts, and again, and knows nothing of the upload then', async () => {
    const name = key('data-00001');
    const { uploadId, parts } = await uploadParts(get(), name, content.subarray(0, 1_000));
    const late = await get().signPart(partRequest(name, uploadId, 1, content.subarray(0, 1_000)));
    await get().abortUpload(name, uploadId);
    await get().abortUpload(name, uploadId);
    expect(await collect(get().listUploads(name))).toEqual([]);
    await expect(get().listParts(name, uploadId)).rejects.toEqual(code('UPLOAD_MISSING'));
    await expect(get().completeUpload({ key: name, uploadId, parts, expectedSizeBytes: 1_000 })).rejects.toEqual(
      code('UPLOAD_MISSING'),
    );
    expect((await sendSigned(late, content.subarray(0, 1_000))).status).toBe(404);
    expect(await get().stat(name)).toBeUndefined();
  });

  it('lists only the uploads below a prefix', async () => {
    const folder = key('x').slice(0, -2);
    const wanted = await get().createUpload(`${folder}/1/data-00001`);
    const twin = await get().createUpload(`${folder}/1/data-00001`);
    const unwanted = await get().createUpload(`${folder}/2/data-00001`);
    expect((await collect(get().listUploads(`${folder}/1/`))).map((upload) => upload.uploadId).sort()).toEqual(
      [wanted, twin].sort(),
    );
    const [upload] = await collect(get().listUploads(`${folder}/2/`));
    expect(upload).toMatchObject({ key: `${folder}/2/data-00001`, uploadId: unwanted });
    expect(Math.abs(Date.now() - (upload?.startedAt.getTime() ?? 0))).toBeLessThan(60_000);
    await Promise.all([wanted, twin].map((uploadId) => get().abortUpload(`${folder}/1/data-00001`, uploadId)));
    await get().abortUpload(`${folder}/2/data-00001`, unwanted);
  });

  it('takes no other bytes than those a part was signed for', async () => {
    const name = key('data-00001');
    const uploadId = await get().createUpload(name);
    const body = content.subarray(0, 50_000);
    const signed = await get().signPart(partRequest(name, uploadId, 1, body));
    const flipped = Buffer.from(body);
    flipped[25_000] = (flipped[25_000] ?? 0) ^ 1;
    const refused = async (status: number): Promise<void> => {
      expect(status === 0 || (status >= 400 && status < 500)).toBe(true);
      expect(await get().listParts(name, uploadId)).toEqual([]);
    };
    await refused((await sendSigned(signed, flipped)).status);
    await refused((await sendSigned(signed, body.subarray(0, 49_999))).status);
    await refused((await sendSigned(signed, Buffer.concat([body, Buffer.from('x')]))).status);
    await refused((await sendSigned(signed, flipped, checksumHeaders(flipped))).status);
    await refused((await sendSigned({ ...signed, url: lastCharacterChanged(signed.url) }, body)).status);
    await refused((await sendSigned({ ...signed, url: signed.url.replace('partNumber=1', 'partNumber=2') }, flipped)).status);
    expect(await sendSigned(signed, body)).toMatchObject({ status: 200 });
    expect(await get().listParts(name, uploadId)).toHaveLength(1);
    await get().abortUpload(name, uploadId);
  });

  it('takes no part at an expired URL', async () => {
    const name = key('data-00001');
    const uploadId = await get().createUpload(name);
    const body = Buffer.from('late');
    const signed = await get().signPart({ ...partRequest(name, uploadId, 1, body), expiresInSeconds: 1 });
    const deadline = Date.now() + EXPIRY_DEADLINE_MS;
    let { status } = await sendSigned(signed, body);
    while (status === 200 && Date.now() < deadline) ({ status } = await sendSigned(signed, body));
    expect(status).toBe(403);
    await get().abortUpload(name, uploadId);
  });

  it('says at once that a volume or a part would be too large', async () => {
    const name = key('data-00001');
    const uploadId = await get().createUpload(name);
    const request = partRequest(name, uploadId, 1, Buffer.from('x'));
    for (const wrong of [
      { partNumber: MAX_PARTS_PER_VOLUME + 1 },
      { partNumber: 0 },
      { sizeBytes: STORAGE_PART_SIZE_BYTES + 1 },
      { sizeBytes: 0 },
    ]) {
      await expect(get().signPart({ ...request, ...wrong })).rejects.toEqual(code('PART_INVALID'));
    }
    await expect(get().signPart({ ...request, expiresInSeconds: 3_601 })).rejects.toEqual(code('VALIDATION'));
    const part = { partNumber: 1, sizeBytes: 1, etag: 'x', md5Hex: 'x' };
    const parts = Array.from({ length: MAX_PARTS_PER_VOLUME + 1 }, (_, index) => ({ ...part, partNumber: index + 1 }));
    await expect(get().completeUpload({ key: name, uploadId, parts, expectedSizeBytes: parts.length })).rejects.toEqual(
      code('PART_INVALID'),
    );
    await get().abortUpload(name, uploadId);
  });
}

function checksumHeaders(body: Buffer): Record<string, string> {
  return {
    'content-md5': createHash('md5').update(body).digest('base64'),
    'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
  };
}
