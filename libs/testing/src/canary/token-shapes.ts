/** Tokens are made by the server, so they bear no mark of ours; they are known by their form (RFC 9068 header; `<uuid>.<43 characters>`; `rbk_…`). */
const SHAPES = [
  { kind: 'access token', form: /eyJhbGciOiJFUzI1NiI[\w-]{10,}\.[\w-]{40,}\.[\w-]{40,}/ },
  { kind: 'refresh token', form: /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.[\w-]{43}(?![\w-])/ },
  { kind: 'API token', form: /rbk_[0-9A-Za-z]{49}(?![0-9A-Za-z])/ },
  { kind: 'recovery code', form: /"recoveryCodes":\["/ },
] as const;

export interface TokenHit {
  readonly kind: string;
  readonly form: 'plain';
  readonly place: string;
}

export function findTokens(content: Buffer | string, place: string): TokenHit[] {
  const text = typeof content === 'string' ? content : content.toString('latin1');
  return SHAPES.filter(({ form }) => form.test(text)).map(({ kind }) => ({ kind, form: 'plain', place }));
}
