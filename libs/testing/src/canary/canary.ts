import { testSecret } from './test-secret.js';
import { findTokens } from './token-shapes.js';

/** A secret that exists once in the world: wherever it is found, it came from where it was put. */
export interface Canary {
  /** What it stands for: `database-password`, `s3-secret`… */
  readonly kind: string;
  readonly value: string;
}

export interface CanaryHit {
  readonly kind: string;
  /** How it was written there. */
  readonly form: 'plain' | 'base64' | 'hex';
  /** File, key, process or line where it was found. Never the secret itself. */
  readonly place: string;
}

interface Pattern {
  readonly kind: string;
  readonly form: CanaryHit['form'];
  readonly bytes: Buffer;
}

/** The part of the base64 text that is the same whatever stands before and after the value, for one of the three alignments. */
function base64Core(value: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), value])
    .toString('base64')
    .replace(/=+$/, '');
  const firstWhole = Math.ceil((offset * 8) / 6);
  const wholeBits = (offset + value.length) * 8;
  return encoded.slice(firstWhole, Math.floor(wholeBits / 6));
}

function patternsOf({ kind, value }: Canary): Pattern[] {
  const bytes = Buffer.from(value);
  const base64 = [0, 1, 2].map((offset) => base64Core(bytes, offset));
  const forms: (readonly [CanaryHit['form'], string])[] = [
    ['plain', value],
    ...base64.map((text) => ['base64', text] as const),
    ['hex', bytes.toString('hex')],
    ['hex', bytes.toString('hex').toUpperCase()],
  ];
  return forms.map(([form, text]) => ({ kind, form, bytes: Buffer.from(text) }));
}

/**
 * The canaries of one test run, and the search for them. They are letters and digits only, so that JSON, URLs and SQL write them as they are;
 * base64 (all alignments, both alphabets alike for letters and digits) and hex are looked for too.
 */
export class CanarySet {
  private readonly patterns: Pattern[] = [];

  /** @param options.tokens also finds the tokens of people by their shape: for text, since it is slow on bulk data */
  constructor(private readonly options: { readonly tokens?: boolean } = {}) {}

  /** The longest pattern: a scan by pieces overlaps them by so much. */
  get overlapBytes(): number {
    return Math.max(0, ...this.patterns.map(({ bytes }) => bytes.length));
  }

  /** A new secret of 26 characters that passes any password rule of ours (upper and lower case, digits), and bears the mark of the run. */
  make(kind: string): string {
    const value = testSecret(kind, { fresh: true });
    this.watch({ kind, value });
    return value;
  }

  /** Looks for a secret that somebody else made, such as a token from an answer. */
  watch(canary: Canary): void {
    if (canary.value.length < 12)
      throw new Error(`A canary of ${canary.value.length} characters would be found by chance: use 12 or more`);
    this.patterns.push(...patternsOf(canary));
  }

  /** One hit for each kind and form in the bytes. */
  find(content: Buffer | string, place: string): CanaryHit[] {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const found = this.patterns
      .filter((pattern) => bytes.includes(pattern.bytes))
      .map(({ kind, form }) => ({ kind, form, place }));
    return uniqueHits(this.options.tokens === true ? [...found, ...findTokens(content, place)] : found);
  }
}

/** Each kind, form and place once. */
export function uniqueHits(hits: readonly CanaryHit[]): CanaryHit[] {
  return [...new Map(hits.map((hit) => [JSON.stringify([hit.kind, hit.form, hit.place]), hit])).values()];
}
