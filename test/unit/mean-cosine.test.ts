import { expect, test } from 'vitest';
import { meanCosine, meanCosineWithin } from '../../src/lib/mean-cosine.ts';
import { random } from '../harness/random.ts';

const next = random(1);
const unit = (): number[] => {
  const vector = Array.from({ length: 6 }, () => next() - 0.5);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
};
const cosine = (a: number[], b: number[]) => a.reduce((sum, value, d) => sum + value * b[d]!, 0);

test('the product of means is the mean over all pairs', () => {
  const [a, b] = [Array.from({ length: 5 }, unit), Array.from({ length: 7 }, unit)];
  const pairs = a.flatMap((left) => b.map((right) => cosine(left, right)));
  expect(meanCosine(a, b)).toBeCloseTo(pairs.reduce((sum, value) => sum + value, 0) / 35, 12);
});

test('within a group no vector is compared with itself', () => {
  const group = Array.from({ length: 5 }, unit);
  const pairs = group.flatMap((left, i) =>
    group.flatMap((right, j) => (i === j ? [] : [cosine(left, right)])),
  );
  expect(meanCosineWithin(group)).toBeCloseTo(pairs.reduce((sum, value) => sum + value, 0) / 20, 12);
  expect(meanCosineWithin([unit()])).toBeNaN();
});
