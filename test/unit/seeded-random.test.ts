import { expect, test } from 'vitest';
import { seededRandom } from '../../src/lib/seeded-random.ts';

test('steps are those of the published SplitMix64', () => {
  // First outputs for the seed 0, as in the reference code of Vigna: e220a8397b1dcdaf, 6e789e6aa1b965f4.
  const random = seededRandom(0);
  expect([random.uniform(), random.uniform()]).toEqual([
    Number(0xe220a8397b1dcdafn >> 11n) / 2 ** 53,
    Number(0x6e789e6aa1b965f4n >> 11n) / 2 ** 53,
  ]);
});

test('normal numbers have mean 0 and variance 1', () => {
  const random = seededRandom(7);
  const values = Array.from({ length: 20_000 }, () => random.normal());
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan(0.03); // four standard errors
  expect(Math.abs(variance - 1)).toBeLessThan(0.04);
});

test('a permutation has every index once, in an order of its seed', () => {
  const order = seededRandom(3).permutation(50);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(seededRandom(3).permutation(50)).toEqual(order);
  expect(seededRandom(4).permutation(50)).not.toEqual(order);
});

test('numbers are those of 64-bit arithmetic, whatever the seed', () => {
  const whole = (value: bigint) => BigInt.asUintN(64, value);
  for (const seed of [0, 1, -3, 2 ** 32 - 1, 2 ** 40 + 5, Number.MAX_SAFE_INTEGER]) {
    const random = seededRandom(seed);
    let state = whole(BigInt(seed));
    for (let n = 0; n < 5_000; n++) {
      let z = (state = whole(state + 0x9e3779b97f4a7c15n));
      z = whole((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
      z = whole((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
      if (random.uniform() !== Number((z ^ (z >> 31n)) >> 11n) / 2 ** 53) expect([seed, n]).toEqual([]);
    }
  }
});
