import {
  assertIdentity,
  assertRecipient,
  generateRecoveryIdentity,
  parseTypedIdentity,
  recipientOf,
  type RecoveryIdentity,
} from './recovery-identity.js';
import { parsePinnedKeys, parseRecoveryKit, pinnedKeysText, recoveryKitText, type RecoveryKit } from './recovery-kit.js';
import { generateSigningKeyPair } from './signing.js';

const agentKeys = [
  { id: 'agent-1', publicKey: generateSigningKeyPair().publicKey },
  { id: 'agent-2', publicKey: generateSigningKeyPair().publicKey },
];
const serverKeys = [{ id: 'srv-1', publicKey: generateSigningKeyPair().publicKey }];

let recovery: RecoveryIdentity;
let kit: RecoveryKit;
let text: string;

beforeAll(async () => {
  recovery = await generateRecoveryIdentity();
  kit = { workspaceName: 'Öztürk Yazılım A.Ş.', ...recovery, agentKeys, serverKeys, createdAt: '2026-11-20T10:00:00Z' };
  text = recoveryKitText(kit);
});

describe('identity and recipient', () => {
  it('belong together', async () => {
    expect(await recipientOf(recovery.identity)).toBe(recovery.recipient);
    expect(() => assertRecipient(recovery.recipient)).not.toThrow();
    expect(() => assertIdentity(recovery.identity)).not.toThrow();
  });

  it('are refused when any one character of them is another', () => {
    const charset = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
    const swap = (value: string, at: number): string => {
      const lower = value.charAt(at).toLowerCase();
      const next = charset.charAt((charset.indexOf(lower) + 1) % charset.length);
      return value.slice(0, at) + (value.charAt(at) === lower ? next : next.toUpperCase()) + value.slice(at + 1);
    };
    for (let at = 'age1'.length; at < recovery.recipient.length; at += 1) {
      expect(() => assertRecipient(swap(recovery.recipient, at))).toThrow(
        expect.objectContaining({ code: 'RECOVERY_KEY_INVALID' }),
      );
    }
    for (let at = 'AGE-SECRET-KEY-1'.length; at < recovery.identity.length; at += 1) {
      expect(() => assertIdentity(swap(recovery.identity, at))).toThrow(
        expect.objectContaining({ code: 'RECOVERY_KEY_INVALID' }),
      );
    }
  });

  it.each(['', 'age1', 'ssh-ed25519 AAAA', 'age1pq1qqqq', 'AGE-SECRET-KEY-1', 'AGE-SECRET-KEY-PQ-1QQ', 'AGE-PLUGIN-YUBIKEY-1QQ'])(
    'are refused as %p',
    (value) => {
      expect(() => assertRecipient(value)).toThrow(expect.objectContaining({ code: 'RECOVERY_KEY_INVALID' }));
      expect(() => assertIdentity(value)).toThrow(expect.objectContaining({ code: 'RECOVERY_KEY_INVALID' }));
    },
  );

  it('are not quoted in the refusal', () => {
    const mistyped = recovery.identity.slice(0, -1);
    expect(() => assertIdentity(mistyped)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(mistyped.slice(16)) }),
    );
  });

  it('are read however they were typed', () => {
    const grouped = recovery.identity.replace(/(.{4})/g, '$1 ').toLowerCase();
    for (const typed of [grouped, `\n ${grouped.replace(/ /g, '\r\n')}\t`, ` ${recovery.identity}\n`]) {
      expect(parseTypedIdentity(typed)).toBe(recovery.identity);
    }
    expect(() => parseTypedIdentity(grouped.slice(0, -3))).toThrow(expect.objectContaining({ code: 'RECOVERY_KEY_INVALID' }));
  });
});

describe('the kit', () => {
  const keys = () => ({ identity: recovery.identity, recipient: recovery.recipient, agentKeys, serverKeys });

  it('comes back as it was printed', () => {
    expect(parseRecoveryKit(text)).toEqual(keys());
  });

  it('comes back typed in another case and spacing, and without its sentences', () => {
    expect(parseRecoveryKit(text.replace(/\n/g, '\r\n\r\n').replace(/ {2,}/g, '\t'))).toEqual(keys());
    const lines = text.split('\n').filter((line) => line.startsWith('    '));
    expect(parseRecoveryKit(lines.join('\n'))).toEqual(keys());
    expect(parseRecoveryKit(`${recovery.identity.toLowerCase()}\n${recovery.recipient}`)).toEqual({
      ...keys(),
      agentKeys: [],
      serverKeys: [],
    });
  });

  it('speaks both languages, keeps to a page and groups the identity', () => {
    expect(text).toContain('Workspace / Çalışma alanı: Öztürk Yazılım A.Ş.');
    expect(text).toMatch(/ {4}AGE-SECRET-KEY-1\n( {4}[0-9A-Z]{4}( [0-9A-Z]{4}){4}\n){2} {4}([0-9A-Z]{4} ){4}[0-9A-Z]{2}\n/);
    expect(text).toMatch(/Check \/ Kontrol: [0-9a-f]{8}\n/);
    const lines = text.split('\n');
    expect(lines.length).toBeLessThan(50);
    const long = lines.filter((line) => line.length > 80 && !/^ {4}(agent|server) /.test(line));
    expect(long).toEqual([]);
  });

  it('finds a slip on its line', () => {
    const [first] = agentKeys;
    const mistyped = first?.publicKey.replace(/[a-z]/, (letter) => letter.toUpperCase()) ?? '';
    expect(() => parseRecoveryKit(text.replace(first?.publicKey ?? '', mistyped))).toThrow(
      'The key of agent agent-1 does not match',
    );
    expect(() => parseRecoveryKit(text.replace(/Kontrol: ./, 'Kontrol: g'))).toThrow(
      expect.objectContaining({ code: 'RECOVERY_KEY_INVALID' }),
    );
    expect(() => parseRecoveryKit(text.replace(/( {4}server .*).$/m, '$1-'))).toThrow('The key of server srv-1 does not match');
    expect(() => parseRecoveryKit(text.replace(/( {4}server .*) \S+$/m, '$1'))).toThrow('The key of server srv-1 does not match');
    expect(() => parseRecoveryKit(text.replace(recovery.recipient, ''))).toThrow(
      expect.objectContaining({ code: 'RECOVERY_KEY_INVALID' }),
    );
  });

  it('lets no workspace name pass for a pinned key', () => {
    const genuine = text.split('\n').find((line) => line.startsWith('    agent agent-1')) ?? '';
    const name = `x\n${genuine}\u2028${genuine}\r${genuine}`;
    expect(parseRecoveryKit(recoveryKitText({ ...kit, workspaceName: name }))).toEqual(keys());
    expect(() => recoveryKitText({ ...kit, agentKeys: [{ id: 'a b', publicKey: '' }] })).toThrow(RangeError);
  });

  it('prints its pinned keys again without the private half, and takes both pages for one kit', () => {
    const bare = recoveryKitText({ ...kit, agentKeys: [], serverKeys: [] });
    const page = pinnedKeysText(kit);
    expect(page).not.toContain('AGE-SECRET-KEY');
    expect(parsePinnedKeys(page)).toEqual({ agentKeys, serverKeys });
    expect(parseRecoveryKit(`${bare}\n${page}`)).toEqual(keys());
    expect(() => parsePinnedKeys(page.replace('agent agent-1', 'agent agent-8'))).toThrow(/agent-8/);
  });
});
