import type { AppError } from '@rahatback/contracts';
import { listed, stopwatch } from './check-list.js';
import { evidenceOf } from './damage.js';
import { compareHashes, damagedNames, groupEvidence, type StoredGroup } from './stored-objects.js';
import type { VerificationContext } from './verification-context.js';

/** `places` in the evidence name each damaged link with its object: the server keeps new backups from building on it. */
const MAX_PLACES = 20;

/** Judges `checksums`: the stored bytes of the backup's own objects. Those that are missing were judged before. */
export async function checkChecksums({ request, checks }: VerificationContext, own: StoredGroup): Promise<void> {
  const took = stopwatch();
  const differing = await compareHashes(own, request.signal);
  const evidence = { ...groupEvidence([own]), differing: listed(differing) };
  if (differing.length > 0) {
    const names = listed(differing).join(', ');
    checks.failed(
      'checksums',
      `The stored bytes of ${names} are not those that were written. Use another copy.`,
      evidence,
      took(),
    );
  } else if (own.damages.length === own.records.length) {
    checks.skipped('checksums', 'None of the objects stands in the storage with its size.', evidence, took());
  } else {
    const compared = own.records.length - own.damages.length;
    checks.passed('checksums', `The stored bytes of ${compared} objects have the SHA-256 of the manifest.`, evidence, took());
  }
}

/** Judges `chain`: what this backup points into, as the own objects are judged. `damage` is what kept the links from being opened. */
export async function checkChain(
  { request, checks }: VerificationContext,
  links: readonly StoredGroup[],
  damage: AppError | null,
): Promise<void> {
  const took = stopwatch();
  if (damage) {
    checks.failed('chain', damage.message, evidenceOf(damage), took());
    return;
  }
  const evidence = { ...groupEvidence(links), backups: listed(links.map(({ backupId }) => backupId)) };
  if (links.length === 0) {
    checks.passed('chain', 'This backup points into no other one.', evidence, took());
    return;
  }
  const places: { readonly backupId: string; readonly object: string }[] = [];
  for (const { backupId, ...group } of links)
    for (const object of await compareHashes({ backupId, ...group }, request.signal)) places.push({ backupId, object });
  const differing = listed(places.map(({ backupId, object }) => `${object} of backup ${backupId}`));
  const damages = links.flatMap((group) => group.damages);
  const [first] = damages;
  const found = { ...evidence, differing, places: [...damages.map(evidenceOf), ...places].slice(0, MAX_PLACES) };
  if (first) {
    checks.failed('chain', first.message, { ...found, damaged: damagedNames(damages), ...evidenceOf(first) }, took());
  } else if (places.length > 0) {
    const message = `The stored bytes of ${differing.join(', ')} are not those that were written. Use another copy.`;
    checks.failed('chain', message, found, took());
  } else checks.passed('chain', `${links.length} backups that this one points into are whole.`, evidence, took());
}
