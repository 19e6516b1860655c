import { ByteLru } from '../lib/byte-lru.ts';
import { seededRandom } from '../lib/seeded-random.ts';

export interface Interval {
  low: number;
  high: number;
}

export interface BootstrapOptions {
  /** 10,000 by default. */
  resamples?: number;
  /** Probability that the interval is to hold; 0.95 by default. */
  level?: number;
  /** 0 by default. The same values and seed give the same interval. */
  seed?: number;
}

/** Draws that are kept: many organisms have as many positions, and drawing takes longer than everything else. */
const kept = new ByteLru<Uint32Array>(8 * 2 ** 20);

/** [resample · count] Places drawn with replacement from [0, count). */
function draws(count: number, resamples: number, seed: number): Uint32Array {
  const name = `${count} ${resamples} ${seed}`;
  let places = kept.get(name);
  if (!places) {
    const random = seededRandom(seed);
    places = new Uint32Array(resamples * count);
    for (let i = 0; i < places.length; i++) places[i] = random.below(count);
    kept.set(name, places, places.byteLength);
  }
  return places;
}

/**
 * Percentile bootstrap interval of a statistic (Efron 1979): its quantiles over samples drawn from the values with replacement.
 * `statistic` may not keep the sample it is given.
 * @returns null where the values say nothing about their spread (fewer than two, or all samples alike), and where the statistic is NaN for
 *   more than half of the samples
 */
export function bootstrapInterval<Value>(
  values: readonly Value[],
  statistic: (sample: readonly Value[]) => number,
  { resamples = 10_000, level = 0.95, seed = 0 }: BootstrapOptions = {},
): Interval | null {
  if (values.length < 2) return null;
  const places = draws(values.length, resamples, seed);
  const sample = [...values];
  const drawn = Float64Array.from({ length: resamples }, (_, at) => {
    for (let i = 0; i < sample.length; i++)
      sample[i] = values[places[at * sample.length + i] as number] as Value;
    return statistic(sample);
  })
    .filter((value) => !Number.isNaN(value))
    .sort();
  if (drawn.length < resamples / 2 || drawn[0] === drawn.at(-1)) return null;
  const quantile = (share: number) => {
    const at = share * (drawn.length - 1);
    const [low, high] = [drawn[Math.floor(at)] ?? NaN, drawn[Math.ceil(at)] ?? NaN];
    return low + (at - Math.floor(at)) * (high - low);
  };
  return { low: quantile((1 - level) / 2), high: quantile((1 + level) / 2) };
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** One number of one organism at one position. */
export interface AtPosition {
  position: number;
  value: number;
}

export interface OverPositions {
  positions: number;
  /** As published; the more positions, the higher by chance alone. */
  max: number;
  /** The first position that has it. */
  maxAt: number;
  mean: number;
  /** Of the mean, over positions; computed when it is read. */
  readonly interval: Interval | null;
}

/** What the values of one organism come to over its positions (method.md §8.4). Null without any. */
export function overPositions(
  values: readonly AtPosition[],
  options: BootstrapOptions = {},
): OverPositions | null {
  const sorted = [...values].sort((a, b) => a.position - b.position);
  const [first] = sorted;
  if (!first) return null;
  const best = sorted.reduce((one, other) => (other.value > one.value ? other : one), first);
  const numbers = sorted.map(({ value }) => value);
  return {
    positions: numbers.length,
    max: best.value,
    maxAt: best.position,
    mean: mean(numbers),
    get interval() {
      return bootstrapInterval(numbers, mean, options);
    },
  };
}

export interface OfGroup {
  organisms: number;
  mean: number;
  /** Standard deviation over organisms, n − 1 in the denominator; null for one alone. */
  deviation: number | null;
  /** Of the mean, over organisms; computed when it is read. */
  readonly interval: Interval | null;
}

/** What the numbers of the organisms of a group (a kind, a base) come to. Null without any. */
export function overOrganisms(values: readonly number[], options: BootstrapOptions = {}): OfGroup | null {
  if (values.length === 0) return null;
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  return {
    organisms: values.length,
    mean: centre,
    deviation: values.length < 2 ? null : Math.sqrt(squares / (values.length - 1)),
    get interval() {
      return bootstrapInterval(values, mean, options);
    },
  };
}
