/** Mulberry32: the same numbers, 0..1, for the same seed on every machine. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Token ids that share no more than chance has them share. */
export function randomTokens(sequences: number, length: number, vocabulary: number, seed = 1): number[][] {
  const next = random(seed);
  return Array.from({ length: sequences }, () =>
    Array.from({ length }, () => Math.floor(next() * vocabulary)),
  );
}
