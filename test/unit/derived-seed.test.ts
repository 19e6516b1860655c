import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { derivedSeed } from '../../src/lib/derived-seed.ts';

test('a seed is the first 52 bits of the hash of what it is for', () => {
  const hash = createHash('sha256').update('[7,"search",2,0,1]').digest('hex');
  expect(derivedSeed(7, 'search', 2, 0, 1)).toBe(Number(`0x${hash.slice(0, 13)}`));
});

test('neighbours have different seeds, and every seed is one that generation takes', () => {
  const seeds = new Set<number>();
  for (let seed = 0; seed < 10; seed++)
    for (let prompt = 0; prompt < 10; prompt++)
      for (let round = 0; round < 10; round++) seeds.add(derivedSeed(seed, 'search', prompt, round));
  expect(seeds.size).toBe(1000);
  expect([...seeds].every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
});
