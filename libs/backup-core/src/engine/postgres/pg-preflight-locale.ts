import type { PreflightFinding } from '@rahatback/contracts';
import type { Client } from 'pg';
import type { DatabaseTraits } from '../../dump/dump-facts.js';
import { rowsOf } from './pg-client.js';
import { literal } from './pg-literal.js';

const finding = (severity: PreflightFinding['severity'], message: string): PreflightFinding => ({
  subject: 'encoding',
  severity,
  message,
});

/** What CREATE COLLATION takes to make the server look for a locale. */
function collationOf({ provider, collate, ctype, icuLocale }: DatabaseTraits): string {
  return provider === 'icu'
    ? `PROVIDER = icu, LOCALE = ${literal(icuLocale ?? 'und')}`
    : `PROVIDER = libc, LC_COLLATE = ${literal(collate)}, LC_CTYPE = ${literal(ctype)}`;
}

/** The server looks for the locale when a collation is made: one for this session only, which is taken back. */
async function tryLocale(client: Client, traits: DatabaseTraits): Promise<PreflightFinding | null> {
  const name = traits.provider === 'icu' ? (traits.icuLocale ?? 'und') : traits.collate;
  await client.query('BEGIN');
  try {
    await client.query(`CREATE COLLATION pg_temp.rahatback_preflight (${collationOf(traits)})`);
    return null;
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    // A locale of another encoding than this database's is there all the same.
    if (/encoding/.test(message)) return null;
    if (code === '42501') return finding('warning', `Whether the server has the locale ${name} cannot be told: ${message}.`);
    return finding(
      'blocker',
      `The server cannot use the locale ${name} of the source (${message}). Install it on the server's machine (locale-gen, or ICU), and restart PostgreSQL.`,
    );
  } finally {
    await client.query('ROLLBACK');
  }
}

/** Whether a database like the source can be made: encoding, locale, ICU. */
export async function encodingFindings(
  client: Client,
  traits: DatabaseTraits | null,
  serverMajor: number,
): Promise<readonly PreflightFinding[]> {
  if (traits === null)
    return [
      finding(
        'warning',
        "The backup does not say the source's locale: the server's default is used, and texts may sort differently.",
      ),
    ];
  const [[encoding] = []] = await rowsOf(client, 'SELECT pg_catalog.pg_char_to_encoding($1)', [traits.encoding]);
  if (encoding === '-1' || encoding === undefined)
    return [finding('blocker', `The server does not know the encoding ${traits.encoding} of the source.`)];
  const needed = { icu: 15, builtin: 17, libc: 0 }[traits.provider];
  if (serverMajor < needed)
    return [
      finding(
        'warning',
        `PostgreSQL ${serverMajor} has no ${traits.provider} locales for whole databases, as the source has: texts may sort differently.`,
      ),
    ];
  const trouble = traits.provider === 'builtin' ? null : await tryLocale(client, traits);
  return [trouble ?? finding('ok', `Encoding ${traits.encoding} and locale ${traits.icuLocale ?? traits.collate} are there.`)];
}
