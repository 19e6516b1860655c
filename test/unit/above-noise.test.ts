import { expect, test } from 'vitest';
import { aboveNoise, noiseRule } from '../../src/lib/above-noise.ts';

test.each([
  [6.001, 1, 1, true],
  [6, 1, 1, false], // above, not at
  [5.999, 1, 1, false],
  [0, 0, 0, false], // two models that do not differ
  [1e-9, 0, 0, true],
  [null, 1, 1, null],
  [NaN, 1, 1, null],
  [Infinity, 1, 1, null],
  [7, NaN, 1, null],
  [7, 1, null, null],
  [7, 1, undefined, null],
  [7, 1, Infinity, null],
])('a norm of %s beside swaps of %s ± %s: %s', (norm, swapNormMean, swapNormDeviation, expected) => {
  expect(aboveNoise({ norm, swapNormMean, swapNormDeviation })).toBe(expected);
});

test('the rule says what the function does', () => {
  expect(noiseRule).toMatch(/^norm > swapNormMean \+ 5 · swapNormDeviation: /);
});
