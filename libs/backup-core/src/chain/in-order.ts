/** A chain has up to 30 links, and each question about one is a trip to the server and one to the storage. */
const AT_ONCE = 8;

/**
 * Works on several items at once and answers in their order. When some fail, the first of them in that order is the one that is told, and
 * nothing is under way any more.
 */
export async function inOrder<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    const settled = await Promise.allSettled(items.slice(at, at + AT_ONCE).map(work));
    for (const one of settled) {
      if (one.status === 'rejected') throw one.reason;
      results.push(one.value);
    }
  }
  return results;
}
