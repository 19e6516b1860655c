import { expect, test } from 'vitest';
import { nearest } from '../../src/lib/nearest.ts';

const rows = (...vectors: number[][]) => Float32Array.from(vectors.flat());

test('orders by cosine, not by length, the lower index first among equals', () => {
  const found = nearest(rows([1, 0]), rows([0, 9], [-2, 0], [3, 3], [0.5, 0], [7, 0]), 4);
  expect(found.map(({ index }) => index)).toEqual([3, 4, 2, 0]);
  expect(found.map(({ cosine }) => cosine)).toEqual([1, 1, expect.closeTo(Math.SQRT1_2, 15), 0]);
});

test('leaves out what has no angle, and gives fewer where there are fewer', () => {
  expect(nearest(rows([1, 1]), rows([0, 0], [NaN, 1], [Infinity, 0], [2, 2]), 9)).toEqual([
    { index: 3, cosine: expect.closeTo(1, 15) },
  ]);
  expect(nearest(rows([0, 0]), rows([1, 0]), 9)).toEqual([]);
  expect(nearest(rows([1, 0]), rows(), 9)).toEqual([]);
  expect(nearest(rows([1, 0]), rows([1, 0]), 0)).toEqual([]);
});
