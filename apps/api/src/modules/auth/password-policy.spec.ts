import { AppError } from '@rahatback/contracts';
import { testSecret } from '@rahatback/testing';
import { assertStrongPassword } from './password-policy.js';

const ABOUT = { email: 'deniz.k@example.com', name: 'Deniz Kaya' };

const verdictOf = (password: string): string => {
  try {
    assertStrongPassword(password, ABOUT);
    return 'taken';
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(error.message).not.toContain(password);
    return error.code;
  }
};

describe('the rules for passwords', () => {
  it.each([
    'short',
    'elevenchars',
    'Password1234',
    'iloveyou1234',
    '1q2w3e4r5t6y',
    'dragonmaster99',
    'michelle12345',
    'P@ssw0rd2026!',
    'Galatasaray1905',
    'aaaaaaaaaaaa',
    'abcabcabcabc',
    'qwertyuiopas',
    'deniz.k.2026!',
    'DenizKaya2026',
    'correct horse battery staple',
  ])('refuse %s', (password) => {
    expect(verdictOf(password)).toBe('PASSWORD_WEAK');
  });

  it('take words that belong to nothing, and ask for no kinds of characters', () => {
    for (const password of ['kalem masa deniz tuz', 'uzun bir cümle daha iyidir', '🦊🌵🎻🧊🪁🛶🧭🫐🪗🧩🥨🪵']) {
      expect([password, verdictOf(password)]).toEqual([password, 'taken']);
    }
    expect(verdictOf(testSecret('person-password', { fresh: true }))).toBe('taken');
  });

  it('judge the longest in no time', () => {
    expect(verdictOf('x'.repeat(1024))).toBe('PASSWORD_WEAK');
    expect(verdictOf(`kalem masa deniz tuz ${'ab1'.repeat(330)}`)).toBe('taken');
  });
});
