import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { argon2id, hash, needsRehash, verify } from 'argon2';

/** 64 MiB, three passes: a guess costs an attacker what a log-in costs us, about 0.1 s of one core. */
export const ARGON2_COST = { type: argon2id, memoryCost: 65_536, timeCost: 3, parallelism: 1 } as const;
/** For codes of 60 random bits and more, which nobody guesses offline: 19 MiB, two passes (OWASP's least). */
const RANDOM_COST = { type: argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const AT_ONCE = 4;

/** Hashes and checks passwords, four at a time: more would only take memory (64 MiB each) and starve the rest of the process. */
@Injectable()
export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private decoy: Promise<string> | undefined;

  hash(password: string): Promise<string> {
    return this.limited(() => hash(password, ARGON2_COST));
  }

  /** For secrets that a machine made. */
  hashRandom(secret: string): Promise<string> {
    return this.limited(() => hash(secret, RANDOM_COST));
  }

  /** Takes as long for an unknown person (`stored` undefined) as for a known one. */
  async matches(stored: string | undefined, password: string): Promise<boolean> {
    this.decoy ??= this.hash(randomBytes(16).toString('hex'));
    const decoy = await this.decoy;
    const equal = await this.limited(() => verify(stored ?? decoy, password));
    return stored !== undefined && equal;
  }

  isOutdated(stored: string): boolean {
    return needsRehash(stored, ARGON2_COST);
  }

  private async limited<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= AT_ONCE) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.running += 1;
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next)
        next(); // hands its place over
      else this.running -= 1;
    }
  }
}
