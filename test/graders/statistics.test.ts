import { describe, expect, test } from 'vitest';
import { bootstrapInterval, mean, overOrganisms, overPositions } from '../../src/graders/statistics.ts';
import { seededRandom } from '../../src/lib/seeded-random.ts';

describe('the bootstrap interval', () => {
  test('follows from values and seed', () => {
    const values = [0.113, 0.427, 0.291, 0.641, 0.305, 0.089, 0.777];
    const interval = bootstrapInterval(values, mean);
    expect(bootstrapInterval(values, mean)).toEqual(interval);
    expect(bootstrapInterval(values, mean, { seed: 1 })).not.toEqual(interval);
    expect(interval!.low).toBeLessThan(mean(values));
    expect(interval!.high).toBeGreaterThan(mean(values));
  });

  test('of a mean is its normal one, for many values', () => {
    const random = seededRandom(3);
    const values = Array.from({ length: 400 }, () => random.normal());
    const { low, high } = bootstrapInterval(values, mean, { resamples: 4000 })!;
    const deviation = Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)) / 400);
    expect(low).toBeCloseTo(mean(values) - 1.96 * deviation, 1.9);
    expect(high).toBeCloseTo(mean(values) + 1.96 * deviation, 1.9);
  });

  test('of two values, exactly: half of the resamples are mixed, so it spans both', () => {
    expect(bootstrapInterval([0, 1], mean)).toEqual({ low: 0, high: 1 });
    expect(bootstrapInterval([0, 1], mean, { level: 0.3 })).toEqual({ low: 0.5, high: 0.5 });
  });

  test('holds the true mean about as often as it says', () => {
    const random = seededRandom(5);
    let held = 0;
    for (let trial = 0; trial < 200; trial++) {
      const values = Array.from({ length: 30 }, () => random.uniform());
      const { low, high } = bootstrapInterval(values, mean, { resamples: 400, seed: trial })!;
      if (low <= 0.5 && 0.5 <= high) held += 1;
    }
    expect(held).toBeGreaterThan(178);
    expect(held).toBeLessThanOrEqual(199);
  });

  test('is none of fewer than two values, and a point of equal ones', () => {
    expect([bootstrapInterval([], mean), bootstrapInterval([1], mean)]).toEqual([null, null]);
    expect(bootstrapInterval([2, 2, 2], mean)).toBeNull();
  });
});

describe('summaries', () => {
  test('over positions: the maximum and where, the mean and its interval', () => {
    const values = [0.2, 0.6, 0.1, 0.6].map((value, position) => ({ position, value }));
    const summary = overPositions([...values].reverse())!;
    expect(summary).toMatchObject({ positions: 4, max: 0.6, maxAt: 1, mean: 0.375 });
    expect(summary).toEqual(overPositions(values)); // whatever their order
    expect(summary.interval!.low).toBeGreaterThanOrEqual(0.1);
    expect(summary.interval!.high).toBeLessThanOrEqual(0.6);
    expect(overPositions([{ position: 3, value: 0.5 }])).toEqual({
      ...{ positions: 1, max: 0.5, maxAt: 3, mean: 0.5 },
      interval: null,
    });
    expect(overPositions([])).toBeNull();
  });

  test('over organisms: mean and deviation by hand', () => {
    const summary = overOrganisms([1, 2, 3, 4])!;
    expect(summary.mean).toBe(2.5);
    expect(summary.deviation).toBeCloseTo(Math.sqrt(5 / 3), 12);
    expect(overOrganisms([1])).toEqual({ organisms: 1, mean: 1, deviation: null, interval: null });
    expect(overOrganisms([])).toBeNull();
  });
});
