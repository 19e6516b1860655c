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

/** Numbers of 64 bits in two halves, high and low, as integers of 32: BigInt takes many times as long. */
const half = new Int32Array(2);

/** Leaves the low 64 bits of a · b in `half`. */
function multiply(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  const p00 = a0 * b0;
  const p01 = a0 * b1;
  const p10 = a1 * b0;
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  const carried = (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16);
  half[0] = Math.imul(a1, b1) + carried + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh);
  half[1] = (middle << 16) | (p00 & 0xffff);
}

export function seededRandom(seed: number): SeededRandom {
  const start = BigInt.asUintN(64, BigInt(seed));
  let [high, low] = [Number(start >> 32n) | 0, Number(start & 0xffffffffn) | 0];
  const uniform = () => {
    // state += 0x9e3779b97f4a7c15
    const sum = (low >>> 0) + 0x7f4a7c15;
    high = (high + 0x9e3779b9 + (sum > 0xffffffff ? 1 : 0)) | 0;
    low = sum | 0;
    // z = (z ^ z >>> 30) · 0xbf58476d1ce4e5b9, then (z ^ z >>> 27) · 0x94d049bb133111eb, then z ^ z >>> 31
    multiply(high ^ (high >>> 30), low ^ ((low >>> 30) | (high << 2)), 0xbf58476d, 0x1ce4e5b9);
    let h = half[0] as number;
    let l = half[1] as number;
    multiply(h ^ (h >>> 27), l ^ ((l >>> 27) | (h << 5)), 0x94d049bb, 0x133111eb);
    h = half[0] as number;
    l = half[1] as number;
    l ^= (l >>> 31) | (h << 1);
    h ^= h >>> 31;
    return ((h >>> 0) * 2 ** 21 + (l >>> 11)) / 2 ** 53;
  };
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
