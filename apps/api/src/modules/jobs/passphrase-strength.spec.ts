import { AppError } from '@rahatback/contracts';
import { assertStrongPassphrase } from './passphrase-strength.js';

const WEAK = [
  'kisa',
  'elevenchars',
  'aaaaaaaaaaaa',
  'abababababab',
  'abcabcabcabcabc',
  'abcdefghijklmnop',
  '123456789012345',
  'qwertyuiop1234567890',
  'Password12345',
  'P@ssw0rd1234!',
  'parola123456',
  'passwordpassword',
  'rahatbackbackup',
  'zyxwvutsrqponm',
  '0123456789012345',
];
const STRONG = [
  'correct horse battery staple',
  'dört gül üç kedi mavi',
  'x9!kQ2#vLp0z',
  'my backup passphrase holds lilies',
  'Tr0ub4dor&3-and-more',
  '漢字仮名交文混在難読語句集',
];

describe('assertStrongPassphrase', () => {
  it.each(WEAK)('refuses %s', (passphrase) => {
    expect(() => assertStrongPassphrase(passphrase)).toThrow(expect.objectContaining({ code: 'PASSPHRASE_WEAK' }));
  });

  it.each(STRONG)('takes %s', (passphrase) => {
    expect(() => assertStrongPassphrase(passphrase)).not.toThrow();
  });

  it('never repeats the passphrase in its sentence', () => {
    for (const passphrase of WEAK) {
      try {
        assertStrongPassphrase(passphrase);
      } catch (error) {
        expect((error as AppError).message).not.toContain(passphrase);
      }
    }
  });

  it('is quick for the longest input that the API takes', () => {
    const startedAt = performance.now();
    for (const passphrase of ['ab'.repeat(512) + 'c', 'abcdefghijklm'.repeat(78), 'a1'.repeat(500)]) {
      try {
        assertStrongPassphrase(passphrase);
      } catch {
        // Weak or not: it must only end soon.
      }
    }
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});
