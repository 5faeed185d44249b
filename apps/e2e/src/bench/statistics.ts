/** @throws Error when there is no value */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  if (low === undefined || high === undefined) throw new Error('There is no median of no values');
  return (low + high) / 2;
}

/** The smallest value that at least `share` (0 to 1) of the values do not exceed. @throws Error when there is no value */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (found === undefined) throw new Error('There is no percentile of no values');
  return found;
}

/** The same things in another order each round, so that no one always runs first or after the same other. */
export function rotated<T>(things: readonly T[], round: number): T[] {
  const by = round % Math.max(1, things.length);
  return [...things.slice(by), ...things.slice(0, by)];
}

/** To so many digits after the point, for JSON and tables. */
export const rounded = (value: number, digits = 3): number => Number(value.toFixed(digits));

/** Slope of the least-squares line through the points. @throws Error for fewer than two different x */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  if (!(spread > 0)) throw new Error('A slope needs two different sizes');
  return points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
}
