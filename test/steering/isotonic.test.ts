import { expect, test } from 'vitest';
import { nonIncreasingFit } from '../../src/steering/isotonic.ts';

test.each([
  { values: [1, 0.8, 0.2], weights: [1, 1, 1], fit: [1, 0.8, 0.2] },
  { values: [0.2, 0.8], weights: [1, 1], fit: [0.5, 0.5] },
  { values: [0.2, 0.8], weights: [3, 1], fit: [0.35, 0.35] },
  { values: [1, 0.5, 0.7, 0.6, 0], weights: [1, 1, 1, 1, 1], fit: [1, 0.6, 0.6, 0.6, 0] },
  { values: [0, 0.5, 1], weights: [1, 1, 1], fit: [0.5, 0.5, 0.5] },
  { values: [], weights: [], fit: [] },
])('$values weighted $weights fits $fit', ({ values, weights, fit }) => {
  nonIncreasingFit(values, weights).forEach((value, i) => expect(value).toBeCloseTo(fit[i]!, 12));
  expect(nonIncreasingFit(values, weights)).toHaveLength(fit.length);
});

test('no sequence that never rises is nearer', () => {
  const [values, weights] = [
    [0.9, 0.3, 0.7, 0.4, 0.5],
    [2, 1, 3, 1, 2],
  ];
  const error = (fit: readonly number[]) =>
    fit.reduce((sum, value, i) => sum + weights[i]! * (value - values[i]!) ** 2, 0);
  const best = error(nonIncreasingFit(values, weights));
  const grid = Array.from({ length: 11 }, (_, i) => i / 10);
  const search = (fit: number[]): number =>
    fit.length === 5
      ? error(fit)
      : Math.min(...grid.filter((v) => v <= (fit.at(-1) ?? 1)).map((v) => search([...fit, v])));
  const least = search([]);
  expect(best).toBeLessThanOrEqual(least + 1e-12);
  expect(best).toBeGreaterThan(least - 0.02); // a grid of tenths comes near it
});
