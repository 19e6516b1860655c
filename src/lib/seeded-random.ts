/** Numbers that follow from a seed: 64-bit steps of SplitMix64 (Steele, Lea, Flood 2014). Not for secrets. */
export interface SeededRandom {
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
  /** Uniform whole number in [0, below). */
  below(count: number): number;
  /** Standard normal (Box and Muller 1958). */
  normal(): number;
  /** [0, length) in random order (Fisher and Yates). */
  permutation(length: number): number[];
}

const mask = (1n << 64n) - 1n;

export function seededRandom(seed: number): SeededRandom {
  let state = BigInt.asUintN(64, BigInt(seed));
  const next = (): bigint => {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
  };
  const uniform = () => Number(next() >> 11n) / 2 ** 53;
  const below = (count: number) => Math.floor(uniform() * count);
  let held: number | undefined;
  return {
    uniform,
    below,
    normal() {
      if (held !== undefined) {
        const value = held;
        held = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      held = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    permutation(length) {
      const order = Array.from({ length }, (_, i) => i);
      for (let i = length - 1; i > 0; i--) {
        const j = below(i + 1);
        [order[i], order[j]] = [order[j] as number, order[i] as number];
      }
      return order;
    },
  };
}
