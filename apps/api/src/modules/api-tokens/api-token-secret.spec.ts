import { apiTokenSha256, hasApiTokenPrefix, isWellFormed, newApiToken, shownPrefix } from './api-token-secret.js';

const turned = (text: string, at: number): string => `${text.slice(0, at)}${text[at] === 'a' ? 'b' : 'a'}${text.slice(at + 1)}`;

describe('the text of an API token', () => {
  it('is a prefix, 256 random bits and a checksum, in a form of its own', () => {
    const tokens = Array.from({ length: 200 }, newApiToken);
    expect(new Set(tokens).size).toBe(200);
    for (const token of tokens) {
      expect(token).toMatch(/^rbk_[0-9A-Za-z]{49}$/);
      expect(isWellFormed(token)).toBe(true);
    }
  });

  it('shows any one sign that was changed', () => {
    const token = newApiToken();
    for (let at = 0; at < token.length; at += 1) expect([at, isWellFormed(turned(token, at))]).toEqual([at, false]);
    for (const text of ['', 'rbk_', token.slice(0, -1), `${token}a`, token.slice(4), ` ${token}`]) {
      expect(isWellFormed(text)).toBe(false);
    }
  });

  it('is kept as a hash and ten characters', () => {
    const token = newApiToken();
    expect(apiTokenSha256(token)).toMatch(/^[0-9a-f]{64}$/);
    expect(token.startsWith(shownPrefix(token))).toBe(true);
    expect(shownPrefix(token)).toHaveLength(10);
    expect(hasApiTokenPrefix('eyJhbGciOi')).toBe(false);
  });
});
