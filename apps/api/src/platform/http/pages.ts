import type { Page, PageQueryDto } from '@rahatback/contracts';

const DEFAULT_LIMIT = 20;
/** Counting stops here: a history of millions stays fast, and nobody pages that far. */
export const COUNT_LIMIT = 10_000;

interface PageSource<T> {
  find(skip: number, take: number): Promise<T[]>;
  /** Counts rows, but no further than `limit`. */
  countUpTo(limit: number): Promise<number>;
}

/** Reads one page; `totalResults` is exact to 10,000 and then says `estimated`. */
export async function pageOf<T>(query: PageQueryDto, source: PageSource<T>): Promise<Page<T>> {
  const page = query.page ?? 1;
  const limit = query.limit ?? DEFAULT_LIMIT;
  const skipped = (page - 1) * limit;
  const results = await source.find(skipped, limit);
  const isLast = results.length < limit && (results.length > 0 || page === 1);
  // The last page tells the total by itself.
  const counted = isLast ? skipped + results.length : await source.countUpTo(COUNT_LIMIT + 1);
  const estimated = !isLast && counted > COUNT_LIMIT;
  const totalResults = estimated ? Math.max(COUNT_LIMIT, skipped + results.length) : counted;
  return { results, page, limit, totalPages: Math.ceil(totalResults / limit), totalResults, ...(estimated ? { estimated } : {}) };
}
