import { canonicalEnrolCode, newEnrolCode, sha256Hex } from './enrol-code.js';

describe('enrolment codes', () => {
  it('are seven groups of four, never twice the same', () => {
    const codes = new Set(Array.from({ length: 1000 }, newEnrolCode));
    expect(codes.size).toBe(1000);
    for (const code of codes) expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){6}$/);
  });

  it('mean the same however they are typed', () => {
    const code = newEnrolCode();
    const typed = ` ${code.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')}\n`;
    expect(canonicalEnrolCode(typed)).toBe(code);
    expect(canonicalEnrolCode(code)).toBe(code);
  });

  it('are found by their hash', () => {
    expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});
