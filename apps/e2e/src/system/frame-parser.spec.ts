import { FrameParser } from './frame-parser.js';

const text = (payloads: readonly Buffer[]): string[] => payloads.map((payload) => payload.toString());

/** The masked and unmasked examples of RFC 6455, section 5.7. */
describe('FrameParser', () => {
  it('reads a masked frame', () => {
    expect(text(new FrameParser().push(Buffer.from('818537fa213d7f9f4d5158', 'hex')))).toEqual(['Hello']);
  });

  it('reads frames one after the other, masked or not, and long ones', () => {
    const long = Buffer.concat([Buffer.from('817e0100', 'hex'), Buffer.alloc(256, 'x')]);
    const all = Buffer.concat([Buffer.from('810548656c6c6f', 'hex'), Buffer.from('818537fa213d7f9f4d5158', 'hex'), long]);
    expect(text(new FrameParser().push(all))).toEqual(['Hello', 'Hello', 'x'.repeat(256)]);
    const parser = new FrameParser();
    expect(text([...all].flatMap((byte) => parser.push(Buffer.of(byte))))).toEqual(['Hello', 'Hello', 'x'.repeat(256)]);
  });
});
