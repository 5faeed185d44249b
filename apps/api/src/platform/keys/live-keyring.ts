import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Keyring, KeyringKey } from '@rahatback/crypto';
import { kekSlotOf, KEYS_INDEX, keyFile } from './key-index.js';

/** How long a process may not know of a change of the index; a rotation waits for three times that. */
export const KEYRING_CHECK_MS = 1000;

const stampOf = (path: string): string => {
  const { ino, mtimeNs, size } = statSync(path, { bigint: true });
  return [ino, mtimeNs, size].join();
};

/** The key-encryption keys as the folder has them now: a rotation reaches running processes without a restart. */
export class LiveKeyring {
  private readonly index: string;
  private stamp: string;
  private checkedAt = performance.now();

  constructor(
    private readonly dir: string,
    private keyring: Keyring,
  ) {
    this.index = join(dir, KEYS_INDEX);
    this.stamp = '';
  }

  /** At most once a second it costs a stat(2). A folder that cannot be read at the moment leaves the keys as they were. */
  current(): Keyring {
    const now = performance.now();
    if (this.stamp !== '' && now - this.checkedAt < KEYRING_CHECK_MS) return this.keyring;
    this.checkedAt = now;
    try {
      const stamp = stampOf(this.index);
      if (stamp === this.stamp) return this.keyring;
      this.keyring = this.read();
      this.stamp = stamp;
    } catch {
      // in the middle of a change or away: the next look is in a second
    }
    return this.keyring;
  }

  private read(): Keyring {
    const { current, live } = kekSlotOf(readFileSync(this.index, 'utf8'));
    const known = new Map([this.keyring.current, this.keyring.previous].map((key) => [key?.kid, key]));
    const keyOf = (kid: string): KeyringKey => known.get(kid) ?? { kid, key: this.readKey(kid) };
    const other = live.find((kid) => kid !== current);
    return { current: keyOf(current), ...(other === undefined ? {} : { previous: keyOf(other) }) };
  }

  private readKey(kid: string): Buffer {
    const key = Buffer.from(readFileSync(keyFile(this.dir, kid), 'utf8'), 'base64');
    if (key.length !== 32) throw new RangeError('This key file is not complete.');
    return key;
  }
}
