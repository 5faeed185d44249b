import { AppError, COMPRESSIONS } from '@rahatback/contracts';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { decodeFrame, encodeFrame } from './frame-codec.js';
import { zstdFrameLength } from './zstd-frame.js';

const samples = [Buffer.alloc(0), Buffer.from('a'), Buffer.alloc(300_000, 'abc'), randomBytes(70_000), Buffer.alloc(1_500_000)];

describe.each(COMPRESSIONS)('frame codec %s', (compression) => {
  it('gives back what went in, and refuses another length', async () => {
    for (const sample of samples) {
      const frame = await encodeFrame(sample, compression);
      expect((await decodeFrame(frame, compression, sample.length)).equals(sample)).toBe(true);
      await expect(decodeFrame(frame, compression, sample.length + 1)).rejects.toBeInstanceOf(AppError);
      if (sample.length > 0)
        await expect(decodeFrame(frame, compression, sample.length - 1)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    }
  });

  it('makes frames that the stock tool reads one after the other', async () => {
    const [binary] = { none: ['cat'], gzip: ['gzip'], zstd: ['zstd'] }[compression];
    const joined = Buffer.concat(await Promise.all(samples.map((sample) => encodeFrame(sample, compression))));
    const args = compression === 'none' ? [] : ['-d', '-c'];
    const { stdout, status } = spawnSync(binary as string, args, { input: joined, maxBuffer: 1e8 });
    expect(status).toBe(0);
    expect(stdout.equals(Buffer.concat(samples))).toBe(true);
  });
});

describe('damage', () => {
  it.each(['gzip', 'zstd'] as const)('of a %s frame never gives other bytes', async (compression) => {
    const plain = Buffer.from('row\n'.repeat(40) + randomBytes(40).toString('hex'));
    const frame = await encodeFrame(plain, compression);
    let refused = 0;
    for (let bit = 0; bit < frame.length * 8; bit += 1) {
      const bad = Buffer.from(frame);
      bad[bit >>> 3] = (bad[bit >>> 3] as number) ^ (1 << (bit & 7));
      const result = await decodeFrame(bad, compression, plain.length).catch((error: unknown) => error);
      if (Buffer.isBuffer(result)) expect(result.equals(plain)).toBe(true);
      else refused += 1;
      if (!Buffer.isBuffer(result)) expect(result).toMatchObject({ code: 'DATA_CORRUPT' });
    }
    // Header bits without meaning for the content (gzip's time and system, zstd's window) may flip unseen; encryption catches those.
    expect(refused / (frame.length * 8)).toBeGreaterThan(0.75);
  });
});

describe('zstdFrameLength', () => {
  it('finds the end of the first frame, and waits for one that has not all come', async () => {
    for (const sample of samples) {
      const frame = await encodeFrame(sample, 'zstd');
      expect(zstdFrameLength(Buffer.concat([frame, Buffer.from('next')]))).toBe(frame.length);
      expect(zstdFrameLength(frame)).toBe(frame.length);
      for (const cut of [0, 3, 6, frame.length - 5, frame.length - 1]) expect(zstdFrameLength(frame.subarray(0, cut))).toBeNull();
    }
    expect(() => zstdFrameLength(Buffer.from('no frame at all'))).toThrow(AppError);
  });

  it('reads frames of the zstd program', () => {
    const { stdout } = spawnSync('zstd', ['-19', '-c', '--no-check'], { input: samples[2] });
    expect(zstdFrameLength(Buffer.concat([stdout, stdout]))).toBe(stdout.length);
  });
});
