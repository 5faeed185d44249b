import { Secret } from 'otpauth';
import {
  formatRecoveryCode,
  isTotpCode,
  newRecoveryCodes,
  newTotpSecret,
  otpauthUrl,
  parseRecoveryCode,
  plainCode,
  stepOf,
} from './one-time-codes.js';

/** RFC 6238, appendix B: the secret of the SHA-1 rows, and the last six of the eight digits. */
const RFC_SECRET = Secret.fromUTF8('12345678901234567890').base32;
const RFC_ROWS: [seconds: number, code: string][] = [
  [59, '287082'],
  [1111111109, '081804'],
  [1111111111, '050471'],
  [1234567890, '005924'],
  [2000000000, '279037'],
  [20000000000, '353130'],
];

describe('one-time codes', () => {
  it.each(RFC_ROWS)('are those of RFC 6238 at %d s', (seconds, code) => {
    expect(stepOf(RFC_SECRET, code, seconds * 1000)).toBe(Math.floor(seconds / 30));
  });

  it('hold one step before and after, and no longer', () => {
    const [, code] = RFC_ROWS[3] ?? [0, ''];
    const step = Math.floor(1234567890 / 30);
    const found = [-2, -1, 0, 1, 2].map((away) => stepOf(RFC_SECRET, code, (step + away) * 30_000));
    expect(found).toEqual([undefined, step, step, step, undefined]);
  });

  it('come from 160 random bits, in a form that apps read', () => {
    const secret = newTotpSecret();
    expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(newTotpSecret()).not.toBe(secret);
    const url = new URL(otpauthUrl(secret, 'deniz@example.com'));
    expect(url.protocol + url.host).toBe('otpauth:totp');
    expect(decodeURIComponent(url.pathname)).toBe('/RahatBack:deniz@example.com');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      issuer: 'RahatBack',
      secret,
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    });
  });

  it('of paper are read back however they are typed', () => {
    const codes = newRecoveryCodes(10);
    expect(new Set(codes.map(({ selector }) => selector)).size).toBe(10);
    for (const code of codes) {
      const shown = formatRecoveryCode(code);
      expect(shown).toMatch(/^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/);
      expect(parseRecoveryCode(plainCode(` ${shown.toUpperCase().replaceAll('-', ' ')} `))).toEqual(code);
      expect(isTotpCode(plainCode(shown))).toBe(false);
    }
    expect(isTotpCode(plainCode('123 456'))).toBe(true);
    expect(parseRecoveryCode('123456')).toBeUndefined();
  });
});
