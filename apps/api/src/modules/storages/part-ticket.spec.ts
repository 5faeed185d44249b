import { randomBytes } from 'node:crypto';
import type { Keyring } from '@rahatback/crypto';
import { openTicket, sealTicket, type PutTicket } from './part-ticket.js';

const key = (kid: string) => ({ kid, key: randomBytes(32) });
const keyring: Keyring = { current: key('a') };
const ticket: PutTicket = {
  method: 'PUT',
  workspaceId: 'w',
  subfolder: 'w/default',
  part: {
    key: 'w/d/b/1/data-00001',
    uploadId: 'u',
    partNumber: 1,
    sizeBytes: 3,
    sha256Hex: 'ab',
    md5Base64: 'cd',
    expiresAt: '2030-01-01T00:00:00.000Z',
  },
};

describe('part tickets', () => {
  it('open to what was sealed, and no two are alike', () => {
    const text = sealTicket(keyring, ticket);
    expect(openTicket(keyring, text)).toMatchObject(ticket);
    expect(sealTicket(keyring, ticket)).not.toBe(text);
    expect(text).toMatch(/^[A-Za-z0-9_.-]+$/);
  });

  it('open after a rotation of the server key, and not without it', () => {
    const text = sealTicket(keyring, ticket);
    expect(openTicket({ current: key('b'), previous: keyring.current }, text)).toMatchObject(ticket);
    expect(openTicket({ current: key('b') }, text)).toBeUndefined();
  });

  it('do not open when any character was changed', () => {
    const text = sealTicket(keyring, ticket);
    for (let index = 0; index < text.length; index += 1) {
      const changed = `${text.slice(0, index)}${text[index] === 'A' ? 'B' : 'A'}${text.slice(index + 1)}`;
      expect(openTicket(keyring, changed)).toBeUndefined();
    }
  });

  it.each(['', '.', 'a.b', 'a.b.c', `${'x'.repeat(5000)}.y`])('refuses %s', (text) => {
    expect(openTicket(keyring, text)).toBeUndefined();
  });
});
