import { COMPRESSIONS } from '@rahatback/contracts';
import { randomBytes } from 'node:crypto';
import { decodeFrame } from './frame-codec.js';
import { FrameEncoder } from './frame-encoder.js';
import { zstdFrameLength } from './zstd-frame.js';

const SAMPLES = [
  Buffer.from('a'),
  Buffer.alloc(300_000, 'abc'),
  randomBytes(70_000),
  Buffer.alloc(1_500_000),
  randomBytes(2_000_000),
];

/** Frames of all samples, encoded at the same time; copies, each released as soon as it was taken. */
const framesOf = (encoder: FrameEncoder, samples: readonly Buffer[] = SAMPLES): Promise<Buffer[]> =>
  Promise.all(
    samples.map(async (sample) => {
      const { bytes, release } = await encoder.encode(sample);
      const copy = Buffer.from(bytes);
      release();
      return copy;
    }),
  );

describe.each(COMPRESSIONS)('FrameEncoder %s', (compression) => {
  it('makes frames that decode to what went in, one after the other and at the same time', async () => {
    const encoder = new FrameEncoder(compression);
    for (let round = 0; round < 3; round += 1) {
      const frames = await framesOf(encoder);
      for (const [number, sample] of SAMPLES.entries()) {
        const plain = await decodeFrame(frames[number] as Buffer, compression, sample.length);
        expect(plain.equals(sample)).toBe(true);
      }
    }
    encoder.close();
  });
});

describe('FrameEncoder zstd', () => {
  it('gives exactly one frame, with content size and checksum, wherever the output memory ends', async () => {
    const sample = randomBytes(500);
    const encoder = new FrameEncoder('zstd');
    const [expected = Buffer.alloc(0)] = await framesOf(encoder, [sample]);
    encoder.close();
    // Content size flag and checksum flag of the frame header descriptor.
    expect((expected[4] as number) & 0b1110_0100).toBe(0b0110_0100);
    for (let outputBytes = expected.length - 20; outputBytes <= expected.length + 20; outputBytes += 1) {
      const small = new FrameEncoder('zstd', outputBytes);
      for (const frame of await framesOf(
        small,
        Array.from({ length: 6 }, () => sample),
      )) {
        expect(frame.equals(expected)).toBe(true);
        expect(zstdFrameLength(frame)).toBe(frame.length);
      }
      small.close();
    }
  });

  it('keeps the bytes of a frame until it is released', async () => {
    const encoder = new FrameEncoder('zstd', 256 * 1024);
    const samples = Array.from({ length: 40 }, () => randomBytes(50_000));
    const held = await Promise.all(samples.map((sample) => encoder.encode(sample)));
    for (const [number, { bytes, release }] of held.entries()) {
      const sample = samples[number] as Buffer;
      expect((await decodeFrame(bytes, 'zstd', sample.length)).equals(sample)).toBe(true);
      release();
    }
    // All but what the next frames go into has been given back.
    expect(held.filter(({ bytes }) => bytes.length > 0).length).toBeLessThan(held.length / 2);
    encoder.close();
  });
});
