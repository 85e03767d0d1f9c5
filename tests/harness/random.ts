// Seeded randomness: a failing run is repeated with TIDEWIRE_SEED=<the printed seed>.

export type Random = () => number;

/** The seed of this run, printed so that the run can be repeated. */
export function announcedSeed(): number {
  const seed = Number(process.env.TIDEWIRE_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`TIDEWIRE_SEED=${seed}`);
  return seed;
}

/** Mulberry32: numbers in [0, 1), the same ones for the same seed. */
export function randomFrom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}
