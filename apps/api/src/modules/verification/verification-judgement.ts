import type { ErrorCode, VerificationCheck, VerificationCheckName, VerificationLevel } from '@rahatback/contracts';
import { VERIFICATION_LEVELS } from '@rahatback/contracts';

/** A verdict on a backup, or none yet. */
export interface Judged {
  readonly verificationStatus: 'PASSED' | 'FAILED' | null;
  readonly verificationLevel: VerificationLevel | null;
}

export interface NewVerdict {
  readonly status: 'PASSED' | 'FAILED';
  readonly level: VerificationLevel;
}

const depthOf = (level: VerificationLevel | null): number => (level === null ? -1 : VERIFICATION_LEVELS.indexOf(level));

/**
 * What a backup's row says after a verification, or null when it keeps what it said. The newest verdict wins, whatever its level, with one exception:
 * a FAILED is cleared only by a PASSED of at least its level, because a shallow look does not see what a deep one found; so a FAILED after a FAILED
 * keeps the deeper level of the two. A SKIPPED is no verdict and never comes here.
 */
export const judgementAfter = (before: Judged, verdict: NewVerdict): NewVerdict | null => {
  if (before.verificationStatus !== 'FAILED') return verdict;
  const isDeeper = depthOf(before.verificationLevel) > depthOf(verdict.level);
  if (verdict.status === 'PASSED') return isDeeper ? null : verdict;
  return { status: 'FAILED', level: isDeeper ? (before.verificationLevel ?? verdict.level) : verdict.level };
};

/** Checks that read the stored objects: when one fails, an object is missing or altered. */
const OBJECT_CHECKS: readonly VerificationCheckName[] = ['objects', 'checksums', 'segments', 'frames', 'chain'];

/** The others that read an object may fail for another reason, such as an agent's lost key: then the evidence's code decides. */
const READING_CHECKS: readonly VerificationCheckName[] = ['manifest', 'keys'];
const DAMAGE_CODES: readonly unknown[] = [
  'OBJECT_MISSING',
  'DATA_CORRUPT',
  'DATA_TRUNCATED',
  'MANIFEST_INVALID',
  'KEYS_INVALID',
] satisfies ErrorCode[];

const isDamage = ({ name, result, evidence }: VerificationCheck): boolean => {
  if (result !== 'failed') return false;
  return OBJECT_CHECKS.includes(name) || (READING_CHECKS.includes(name) && DAMAGE_CODES.includes(evidence['code']));
};

export interface Damage {
  /** The backup that the object belongs to: the verified one or a link of its chain; null where the agent did not name it. */
  readonly backupId: string | null;
  /** Names the object. */
  readonly sentence: string;
}

type Place = { readonly backupId: string | null; readonly object: string | null };

const textOrNull = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

const placeOf = (value: unknown): Place => {
  const { backupId, object } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  return { backupId: textOrNull(backupId), object: textOrNull(object) };
};

/** Each place once; the check's own first. */
const placesOf = (evidence: VerificationCheck['evidence']): readonly Place[] => {
  const { places } = evidence;
  const more = Array.isArray(places) ? places.map(placeOf).filter(({ backupId }) => backupId !== null) : [];
  const own = placeOf(evidence);
  return own.backupId === null && more.length > 0 ? more : [own, ...more];
};

/**
 * The damage that failed checks speak of, the first of each backup. The evidence of such a check names `backupId` and `object`, as the details of the
 * readers' errors do, or several in `places`; without them the message has to say it.
 */
export const damagesOf = (checks: readonly VerificationCheck[]): readonly Damage[] => {
  const found = new Map<string | null, Damage>();
  for (const { message, evidence } of checks.filter(isDamage)) {
    for (const { backupId, object } of placesOf(evidence)) {
      const sentence = object === null || message.includes(object) ? message : `${object}: ${message}`;
      if (!found.has(backupId)) found.set(backupId, { backupId, sentence });
    }
  }
  return [...found.values()];
};
