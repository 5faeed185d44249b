import { unmasked } from './frame-recorder.js';

/** The masked and unmasked examples of RFC 6455, section 5.7. */
describe('unmasked', () => {
  it('reads a masked frame', () => {
    expect(unmasked(Buffer.from('818537fa213d7f9f4d5158', 'hex')).toString()).toBe('Hello');
  });

  it('reads frames one after the other, masked or not, and long ones', () => {
    const long = Buffer.concat([Buffer.from('817e0100', 'hex'), Buffer.alloc(256, 'x')]);
    const all = Buffer.concat([Buffer.from('810548656c6c6f', 'hex'), Buffer.from('818537fa213d7f9f4d5158', 'hex'), long]);
    expect(unmasked(all).toString()).toBe(`HelloHello${'x'.repeat(256)}`);
  });
});
