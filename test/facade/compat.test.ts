import { expect, test } from 'vitest';
import { diff, roundToBfloat16 } from '../../src/native/index.ts';
import { readExpected } from '../harness/expected.ts';
import { openPair } from '../harness/models.ts';
import { relativeL2 } from '../harness/numbers.ts';
import { refusal } from '../harness/refusal.ts';

// ---- compat: the published implementation's rounding points (docs/decisions/008) ----

const name = 'tiny-qwen3--cake_bake';
const isBfloat16 = (values: Iterable<number>) =>
  [...values].every((value) => roundToBfloat16(value) === value);

test('bfloat16 is the nearest one, halves to even', () => {
  expect([1, -1, 0.7, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 0, Infinity].map(roundToBfloat16)).toEqual([
    1,
    -1,
    0.69921875,
    1,
    1 + 2 ** -6,
    0,
    Infinity,
  ]);
  expect(roundToBfloat16(NaN)).toBeNaN();
});

test('a measurement in compat mode has bfloat16 means near the exact ones, and says so', async () => {
  const { facts, tokens } = readExpected(name);
  const [base, finetuned] = await openPair(name);
  const options = { layers: [facts.middle_layer], positions: 5 };
  const texts = tokens.slice(0, 200);
  const exact = await diff(base, finetuned, texts, options);
  const compat = await diff(base, finetuned, texts, { ...options, mode: 'compat' });
  expect([exact.mode, compat.mode]).toEqual(['exact', 'compat']);
  for (const vectors of ['meanDiff', 'baseMean', 'finetunedMean'] as const) {
    expect(isBfloat16(exact[vectors])).toBe(false);
    expect(isBfloat16(compat[vectors])).toBe(true);
    // Half a unit in the last of 8 bits for each value, at most.
    expect(relativeL2(compat[vectors], exact[vectors])).toBeLessThan(2 ** -8);
  }
  // What the published code stores is not the difference of the stored means.
  const subtracted = compat.finetunedMean.map((value, i) => roundToBfloat16(value - compat.baseMean[i]!));
  expect(subtracted).not.toEqual(compat.meanDiff);
});

test('the lens and Patchscope round what they are given, and their probabilities', async () => {
  const expected = readExpected(name);
  const [, finetuned] = await openPair(name);
  const vector = expected.vector('diff', 1);
  const [lens] = await finetuned.logitLens([vector], { k: 10, mode: 'compat' });
  const [rounded] = await finetuned.logitLens([vector.map(roundToBfloat16)], { k: 10 });
  expect(lens!.top.map(({ id }) => id)).toEqual(rounded!.top.map(({ id }) => id));
  expect(isBfloat16(lens!.top.map(({ probability }) => probability))).toBe(true);

  const options = {
    layer: expected.facts.middle_layer,
    norm: expected.finetunedNorm,
    scales: [0.7],
    k: 5,
    intersection: 512,
  };
  const [exact] = (await finetuned.patchscope([vector], options))[0]!;
  const [compat] = (await finetuned.patchscope([vector], { ...options, mode: 'compat' }))[0]!;
  expect(compat).not.toEqual(exact);
  expect(Math.abs(compat![0]!.probability - exact![0]!.probability)).toBeLessThan(2 ** -6);
});

test('another mode is refused', async () => {
  const [base, finetuned] = await openPair(name);
  const mode = 'loose' as 'exact';
  const vector = new Float32Array(128).fill(1);
  for (const call of [
    () => diff(base, finetuned, [[1, 2]], { mode }),
    () => finetuned.logitLens([vector], { k: 1, mode }),
    () => finetuned.patchscope([vector], { layer: 0, mode }),
  ]) {
    expect(await refusal(call)).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('loose') as string,
    });
  }
});
