// The middle of some figures, and how far they lie apart.

export interface Spread {
  median: number;
  lowest: number;
  highest: number;
}

export function median(values: number[]): number {
  return quantile(values, 0.5);
}

/** The value below which this share of the values lies, between two neighbours in proportion. */
export function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? NaN;
  const high = sorted[Math.ceil(at)] ?? NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export function spread(values: number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), lowest: Math.min(...values), highest: Math.max(...values) };
}
