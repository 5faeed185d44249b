import { byteRangeOf } from './byte-range.js';

describe('byteRangeOf', () => {
  it.each([
    ['bytes=0-99', { start: 0, end: 100 }],
    ['bytes=0-0', { start: 0, end: 1 }],
    ['bytes=999-', { start: 999, end: 1000 }],
    ['bytes=-1', { start: 999, end: 1000 }],
    ['bytes=-5000', { start: 0, end: 1000 }],
    ['bytes=500-5000', { start: 500, end: 1000 }],
  ])('reads %s of 1,000 bytes', (header, expected) => {
    expect(byteRangeOf(header, 1000)).toEqual(expected);
  });

  it.each([undefined, '', 'bytes=-', 'lines=1-2', 'bytes=1-2,4-5', 'bytes=5-2', 'bytes=a-b'])(
    'takes %s for everything',
    (header) => {
      expect(byteRangeOf(header, 1000)).toBeUndefined();
    },
  );

  it.each(['bytes=1000-', 'bytes=1000-1001', 'bytes=-0'])('refuses %s of 1,000 bytes', (header) => {
    expect(() => byteRangeOf(header, 1000)).toThrow(expect.objectContaining({ code: 'VALIDATION' }));
  });
});
